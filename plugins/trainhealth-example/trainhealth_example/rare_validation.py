"""EX01 rare-validation: a run goes on for long without looking at validation data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.series import RunView


class RareValidation(Rule):
    """The run trained for long without an evaluation on validation data.

    What it detects
        The longest stretch of steps, from the start or between evaluations or up to now, without a validation_loss or
        validation_accuracy.

    Why it matters
        Overfitting shows on validation data only, and a checkpoint can be no better than the evaluation that chose it.

    How it decides
        The longest stretch is above `steps`. It is a rule of one laboratory: what it costs is a coarser choice, so it
        is a note.

    What to try
        An evaluation every so many steps, on a part of the validation data where the whole takes too long.

    When it is wrong
        Runs that are evaluated by another process, from their checkpoints: their log has no evaluation. Runs without a
        validation split are not judged before `steps` steps, and then as if they had forgotten it.
    """

    code = "EX01"
    name = "rare-validation"
    topic = "run"
    severity = Severity.NOTE
    confidence = Confidence.CERTAIN
    since = "0.1"
    requires = ("train_loss",)
    uses = ("validation_loss", "validation_accuracy")
    references = (
        Reference(
            "L16 Practical Aspects", "Training and validation curves together tell what is wrong; one alone does not."
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        steps: float = option(5000.0, "steps", "house choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if some stretch without an evaluation is too long."""
        if run.last_step < options.steps:
            return NotChecked(f"the run has {run.last_step + 1} steps: it takes more than {number(options.steps)}")
        evaluated = np.concatenate([run.series(name).steps for name in self.uses])
        bounds = np.unique(np.concatenate([[0], evaluated, [run.last_step]]))
        gaps = np.diff(bounds)
        longest = int(np.argmax(gaps))
        first, last = int(bounds[longest]), int(bounds[longest + 1])
        if last - first <= options.steps:
            return []
        finding = self.finding(
            f"No evaluation on validation data in {last - first} steps, from step {first} to {last}.",
            [
                Evidence(
                    "validation_loss", None, first, last, float(last - first), f"below {number(options.steps)} steps"
                )
            ],
            [
                Recommendation(
                    f"Evaluate every {number(options.steps)} steps, on a part of the validation data if that is slow.",
                    "Between two evaluations nobody knows whether the run still gets better.",
                    "A validation_loss in the log at least so often.",
                    "Evaluating costs time: keep it to a few per cent of the training's.",
                )
            ],
        )
        return [finding]
