"""RU06 weights-made-anew: the weights are set back while training goes on, and what was learnt is lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.progress import last_level, share_left
from trainhealth.series import RunView, Series


class WeightsMadeAnew(Rule):
    """The script sets the weights back, again and again: each time training begins from nothing.

    What it detects
        Events that tell of weights that the script has drawn anew or loaded (trainhealth run sees it), and train_loss
        (in the loss's own unit) on both sides of them.

    Why it matters
        Only what happens after the last time is kept. The loss falls in every epoch, so that it looks like training.

    How it decides
        Drawn anew in `often` of the steps, at least `least_steps`, while train_loss stands at `unlearnt` of the
        untrained loss or above. Or, at each of these steps, the median of up to five values of train_loss after it is
        compared with that of as many before it. What had been gained (the level at the start of the run minus that
        before) is lost where it is above `errors` standard errors (from the noise since the time before) and three
        quarters of it are gone. It fires if so in `often` of the times, of which there are `least`, and if there is one
        evaluation between them, no more and no less: they are the epochs.

    What to try
        Make the model, draw its weights and load a state before the loop over epochs.

    When it is wrong
        Folds and trials that begin anew on purpose, with the same model, have several epochs each, or a new optimizer:
        silent. So are averaged weights that are swapped in for an evaluation and back, and the best weights that are
        loaded when training ends: the loss goes on where it was. Weights of a lottery ticket are set back between long
        trainings: silent. Meta-learning sets weights back without an evaluation each time: silent. A model that is made
        anew together with its optimizer is a run of its own each time: not seen. Nor are scripts that call
        trainhealth.watch.
    """

    code = "RU06"
    name = "weights-made-anew"
    topic = "run"
    severity = Severity.CRITICAL
    confidence = Confidence.CERTAIN
    since = "0.1"
    requires = ("train_loss",)
    references = (
        Reference(
            "PyTorch: torch.nn.Module.apply and torch.nn.init",
            "apply calls a function on every part of a model, such as one that draws its weights.",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.apply",
        ),
        Reference(
            "Tr1 Training Networks (Part 1): mini-batch SGD",
            "Weights are drawn once; each update goes on from the one before.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        least: int = option(3, "times", "house choice: a stage or two may begin anew")
        least_steps: int = option(8, "steps", "house choice")
        often: float = option(0.8, "share of the times", "house choice: a habit of the loop")
        unlearnt: float = option(
            0.8, "share of the untrained loss", "house choice: one layer may be redrawn on purpose"
        )
        errors: float = option(5.0, "standard errors", "as RU05")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if what was learnt is lost time after time."""
        anew = [e.step for e in run.events if e.event == "optimizer-added"]
        told = [e for e in run.events if e.event == "weights-set"]
        losses = curves.clean(run.series("train_loss"))
        if len(told) < options.least or len(losses) < 2:
            return []
        steps = sorted({event.step for event in told if event.step <= losses.last_step})
        drawn = all(event.data.get("how") == "drawn" for event in told)
        how = "drawn anew" if drawn else "loaded"
        if len(steps) >= options.least_steps and len(steps) >= options.often * (steps[-1] - steps[0] + 1):
            each = f"The weights are {how} before each step, from step {steps[0]} on: no update is kept."
            learnt = share_left(run, last_level(losses.values)) < options.unlearnt
            return [self._describe(each, losses, steps)] if drawn and not learnt else []
        if len(steps) < options.least or len(set(steps) & set(anew)) > 0.5 * len(steps):
            return []
        between = [sum(low < epoch.step <= high for epoch in run.epochs) for low, high in pairwise(steps)]
        if np.mean([count == 1 for count in between]) < options.often:
            return []
        lost = [_is_lost(losses, low, step, options) for low, step in pairwise([0, *steps])]
        if np.mean(lost) < options.often:
            return []
        start, end = (number(float(np.median(part))) for part in (losses.values[:5], _around(losses, steps[-1])[0]))
        return [
            self._describe(
                f"The weights are {how} {len(steps)} times, once an epoch, and what was learnt is lost each time:"
                f" train_loss falls from {start} to {end} and begins anew.",
                losses,
                steps,
            )
        ]

    def _describe(self, message: str, losses: Series, steps: Sequence[int]) -> Finding:
        after = float(np.median(_around(losses, steps[-1])[1]))
        return self.finding(
            message, [Evidence("train_loss", None, steps[0], losses.last_step, after, "lower each time")], [_BEFORE]
        )


_BEFORE = Recommendation(
    "Move what sets the weights (making the model, reset_parameters, apply, load_state_dict) to before the loop.",
    "The loop is to go on with the weights that it has learnt so far.",
    "train_loss goes on, at the beginning of an epoch, where the epoch before has left it.",
    "If each epoch is to be a training of its own (folds), make a new model and a new optimizer for each.",
    "resume-from-checkpoint",
)


def _around(losses: Series, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Return up to five values before `step`, and from it on."""
    cut = int(np.searchsorted(losses.steps, step))
    return losses.values[max(cut - 5, 0) : max(cut, 1)], losses.values[min(cut, len(losses) - 1) : cut + 5]


def _is_lost(losses: Series, since: int, step: int, options: WeightsMadeAnew.Options) -> bool:
    """Tell whether most of what was gained from `since` to `step` is lost after it."""
    before, after = _around(losses, step)
    level, now, start = float(np.median(before)), float(np.median(after)), float(np.median(losses.values[:5]))
    sigma = curves.noise(losses.between(since, step - 1))
    error = 1.25 * sigma * (1 / len(before) + 1 / len(after)) ** 0.5
    return start - level > options.errors * error and now - level > 0.75 * (start - level)
