"""DA09 nonfinite-inputs: NaN or infinity in what enters the model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number
from trainhealth.series import RunView


class NonfiniteInputs(Rule):
    """NaN or infinite numbers enter the model, and the loss is no number from there on.

    What it detects
        input_nonfinite: how many elements of a sampled batch were NaN or infinite; train_loss.

    Why it matters
        One NaN in a batch makes the loss, then every gradient, and with the next update every weight NaN: the run is
        lost, and the step at which it happens depends on the order of the data.

    How it decides
        A sampled batch holds such elements, and train_loss is not finite at that step or at the one before or after it,
        or at every step since.

    What to try
        Find the examples, and repair or drop them when the data are loaded; look at divisions by a deviation of zero
        and at logarithms of zero in the preparation.

    When it is wrong
        A mask of minus infinity, and NaN that the model itself replaces, leave the loss finite: silent. Batches between
        sampled steps are not seen: nonfinite-loss finds them by their effect.
    """

    code = "DA09"
    name = "nonfinite-inputs"
    topic = "data"
    severity = Severity.CRITICAL
    confidence = Confidence.CERTAIN
    since = "0.1"
    requires = ("input_nonfinite", "train_loss")
    references = (
        Reference(
            "IEEE 754-2019, section 6.2",
            "An operation on NaN gives NaN: one such input reaches every sum that it is part of.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """No thresholds: a number is finite or it is not."""

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if non-finite inputs reached the loss."""
        counts, losses = run.series("input_nonfinite"), run.series("train_loss")
        lost = losses.steps[~np.isfinite(losses.values)]
        bad = [
            (int(step), float(count))
            for step, count in zip(counts.steps, counts.values, strict=True)
            if count > 0 and len(lost) and np.abs(lost - step).min() <= 1
        ]
        if not bad:
            return []
        step, count = bad[0]
        finding = self.finding(
            f"{number(count)} elements of the input are NaN or infinite at step {step}, and train_loss is not a number"
            f" from step {int(lost[0])} on.",
            [Evidence("input_nonfinite", "input", step, step, count, "0")],
            [
                Recommendation(
                    "Find the examples with torch.isfinite over the data set, and repair or drop them when loading.",
                    "One such element spoils the whole batch, and the update all weights.",
                    "input_nonfinite is 0 in every sample, and train_loss stays finite.",
                    "Dropping examples with missing values may bias the data: fill them in where many have them.",
                    "find-first-nonfinite",
                    Change("examples with non-finite inputs", "kept", "dropped"),
                ),
                Recommendation(
                    "Divide by (deviation + 1e-8), and take log(x + 1e-8), where the data are prepared.",
                    "A constant feature has deviation 0, and 0/0 is NaN.",
                    "input_nonfinite is 0 in every sample.",
                ),
            ],
        )
        return [finding]
