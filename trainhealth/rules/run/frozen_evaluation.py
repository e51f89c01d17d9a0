"""RU07 frozen-evaluation: the weights change, and every evaluation gives the same number."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.series import FloatArray, IntArray, RunView, Series

_HALF = 2**11  # a number of half precision has 11 binary digits (float16; bfloat16 has 8)


class FrozenEvaluation(Rule):
    """The validation loss is the same number each time, while training goes on: another model is evaluated.

    What it detects
        validation_loss (in the loss's own unit), digit by digit, beside train_loss between the evaluations.

    Why it matters
        All that is read off the validation (early stopping, the best weights, overfitting) is about weights that do not
        learn.

    How it decides
        All evaluations have one and the same validation_loss, which is no number of half precision: at least `least`
        of it with `digits` significant digits or more, or `rough_least` with at least `rough_digits`. Between the first
        evaluation and the second train_loss has a mean from which the one before the last evaluation differs, downward,
        by `fell` of its size and by `errors` standard errors (from the noise of single values). It is a hint where the
        number has fewer digits than `digits`, and in another tool's log: who wrote it may have rounded it, or written
        one result many times.

    What to try
        Look which object is evaluated, and when its weights were last set.

    When it is wrong
        Rounding makes unlike losses equal: hence the digits. Without learning (a rate of 0, dead units) train_loss
        stands as well: silent. A validation_accuracy that stands is one answer to everything: silent. One old result
        that is written again after each epoch, until the next evaluation is due, is a false alarm; so is a validation
        of parts of a model that are meant to rest while others are trained. Averaged weights that follow slowly change
        the last digits: silent. Evaluations that are frozen from some step on only are missed, and accuracies.
    """

    code = "RU07"
    name = "frozen-evaluation"
    topic = "run"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss", "validation_loss")
    references = (
        Reference(
            "Python documentation: copy.deepcopy",
            "A deep copy holds copies of everything it finds: what happens to the original does not reach it.",
            "https://docs.python.org/3/library/copy.html",
        ),
        Reference(
            "PyTorch documentation: torch.optim, weight averaging (SWA and EMA)",
            "The averaged model follows only through update_parameters, called after the optimizer's step.",
            "https://docs.pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema",
        ),
        Reference(
            "UO Underfitting, Overfitting, Regularization, Optimization: early stopping",
            "Which weights are kept is decided by the validation of those that are trained.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        least: int = option(3, "evaluations", "house choice: two may be one that was written twice")
        digits: int = option(7, "significant digits", "those of single precision")
        rough_least: int = option(5, "evaluations", "house choice")
        rough_digits: int = option(4, "significant digits", "house choice: a console's")
        fell: float = option(0.1, "share of train_loss", "house choice: many times what four digits hide")
        errors: float = option(5.0, "standard errors", "as RU05")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if no evaluation has seen what was learnt."""
        validation = curves.clean(run.series("validation_loss"))
        steps = np.unique(validation.steps)
        if len(steps) < options.least:
            return NotChecked(f"it takes {options.least} evaluations to say that they are all alike")
        value = float(validation.values[0])
        digits = _digits(value)
        least = options.least if digits >= options.digits else options.rough_least
        if (validation.values != value).any() or digits < options.rough_digits or len(steps) < least:
            return []
        levels = _levels(run.series("train_loss"), steps, options)
        if levels is None:
            return []
        sure = digits >= options.digits and run.watched
        first, last = int(steps[0]), int(steps[-1])
        alike = f"is {value:.9g} in each of {len(steps)} evaluations (steps {first} to {last}), to the last digit"
        return [
            self.finding(
                f"validation_loss {alike}, while train_loss fell from {number(levels[0])} to {number(levels[-1])}: what"
                " is evaluated is not what is trained.",
                [
                    Evidence("validation_loss", None, first, last, value, "another number after each epoch"),
                    Evidence("train_loss", None, first, last, float(levels[-1]), f"{number(levels[0])}, if it rested"),
                ],
                _ADVICE,
                confidence=Confidence.LIKELY if sure else Confidence.HINT,
            )
        ]


_ADVICE = (
    Recommendation(
        "Evaluate the model whose parameters the optimizer holds; set a copy's weights right before it is evaluated.",
        "A deep copy, averaged weights that are never updated, or weights that are loaded before each evaluation stay"
        " what they were.",
        "validation_loss differs from one evaluation to the next, if only in its last digits.",
        recipe="weight-averaging",
    ),
    Recommendation(
        "See that what is logged is the loss that this evaluation has computed.",
        "A variable of an earlier evaluation, or of one before training, has the same number each time.",
        "validation_loss differs from one evaluation to the next, if only in its last digits.",
    ),
)


def _digits(value: float) -> int:
    """Return how many significant digits a number has; 0 for one that half precision holds exactly, and for 0."""
    if (math.frexp(value)[0] * _HALF).is_integer():
        return 0
    return len(f"{value:.15e}".partition("e")[0].rstrip("0").lstrip("-").replace(".", ""))


def _levels(losses: Series, steps: IntArray, options: FrozenEvaluation.Options) -> FloatArray | None:
    """Return the means of train_loss between the evaluations at `steps`, if the last lies clearly below the first."""
    levels = curves.means_until(losses, steps)[1:]  # what was learnt before the first evaluation is no change to it
    if not np.isfinite(levels[[0, -1]]).all():
        return None
    bounds = np.searchsorted(curves.clean(losses).steps, steps[[0, 1, -2, -1]], side="right")
    error = curves.noise(losses) * math.sqrt(1 / (bounds[1] - bounds[0]) + 1 / (bounds[3] - bounds[2]))
    fall = float(levels[0] - levels[-1])
    return levels if fall > options.fell * abs(levels[0]) and fall > options.errors * error else None
