"""GE07 noisy-validation: the validation curve is too noisy to choose an epoch, or a setting, by it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.generalization.comparison import fractions
from trainhealth.series import FloatArray, RunView, Series

LARGEST = 2000  # examples: a split that is larger has a standard error below 0.012, which no rule minds


class NoisyValidation(Rule):
    """The validation curve is too noisy to choose by: differences between evaluations are luck.

    What it detects
        validation_accuracy (a fraction) that wavers while the split is so small that its standard error,
        sqrt(p (1 - p) / n), is larger than any difference it shows; or, where no accuracy is logged, validation_loss
        (in the loss's own unit) that jumps from one evaluation to the next by more than it changes over half of the
        run.

    Why it matters
        The best epoch, and the better one of two settings, are then chosen by chance, and look better than they are.

    How it decides
        There are at least `least` evaluations; the last half of them is judged. n is the smallest number of examples
        for which every accuracy is k / n (at least 4 different values, n up to 2000); p is their median. It fires where
        2 sqrt(p (1 - p) / n) > `uncertain` and the accuracies differ by less than that from the lowest to the highest,
        but do differ. For a loss above 0, with `least` values in the half, it fires where the noise of one value is
        more than `jumps` of the level, and more than the change over the half, if there is one (Mann-Kendall z beyond
        1.64; Theil-Sen slope times length).

    What to try
        A larger validation split, or k-fold cross-validation; averaging the weights, or the last few evaluations.

    When it is wrong
        An accuracy that is not k / n of one n (the mean of batches' accuracies, a log with few digits) can't say how
        large the split is: silent. Where few values occur, n may be a divisor of the true number: it takes 4. The loss
        of a task that is nearly solved hangs on a few examples, and wavers while the accuracy stands: where there is an
        accuracy, it decides. Large swings may come from training (a rate that is too high, batch norm) and not from the
        split: the advice names both. All of this is a note: the model is none the worse.
    """

    code = "GE07"
    name = "noisy-validation"
    topic = "generalization"
    severity = Severity.NOTE
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("validation_accuracy|validation_loss",)
    references = (
        Reference(
            "UO, Underfitting and Overfitting",
            "The standard error of a mean of n samples is sigma / sqrt(n): four times the examples, half the noise.",
        ),
        Reference(
            "L16, Practical Aspects",
            "60/20/20 for small data sets: the validation split must be large enough to tell settings apart.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        least: int = option(10, "evaluations", "house choice: five in the last half")
        uncertain: float = option(0.1, "accuracy, fraction", "house choice: two standard errors; 0.8 of 64 examples")
        jumps: float = option(0.25, "share of the level", "house choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding for the accuracy, else one for the loss."""
        accuracy, loss = (curves.clean(run.series(name)) for name in ("validation_accuracy", "validation_loss"))
        if max(len(accuracy), len(loss)) < options.least:
            return NotChecked(f"it takes {options.least} evaluations to see their noise")
        found = self._small_split(accuracy, options) if len(accuracy) else self._jumps(loss, options)
        return [found] if found else []

    def _small_split(self, accuracy: Series, options: Options) -> Finding | None:
        size = _split_size(accuracy.values) if fractions(accuracy) else None
        if size is None or len(accuracy) < options.least:
            return None
        late = Series(accuracy.name, accuracy.steps[len(accuracy) // 2 :], accuracy.values[len(accuracy) // 2 :])
        share, spread = float(np.median(late.values)), float(np.ptp(late.values))
        error = math.sqrt(share * (1 - share) / size)
        if not (2 * error > options.uncertain and 0 < spread < 2 * error):
            return None
        needed = math.ceil(share * (1 - share) / 0.01**2)
        return self.finding(
            f"validation_accuracy is known to +-{2 * error:.2g} only ({size} examples), and its evaluations differ by"
            f" {number(spread)} at most: which one is best is luck.",
            [Evidence(late.name, None, int(late.steps[0]), late.last_step, spread, f"more than {number(2 * error)}")],
            [
                Recommendation(
                    f"Validate on {needed} examples, or by 5-fold cross-validation.",
                    f"The standard error of an accuracy of {number(share)} over {size} examples is {number(error)}.",
                    "The standard error falls to 0.01.",
                    "Examples for validation are lost for training: cross-validation uses all.",
                    "larger-validation-set",
                )
            ],
        )

    def _jumps(self, loss: Series, options: Options) -> Finding | None:
        half = len(loss) // 2
        late = Series(loss.name, loss.steps[half:], loss.values[half:])
        if len(late) < options.least or late.values.min() <= 0:
            return None
        level, sigma, trend = float(np.median(late.values)), curves.noise(late), curves.trend(late)
        if not sigma > max(options.jumps * level, abs(trend.change) if abs(trend.z) > 1.64 else 0.0):
            return None
        return self.finding(
            f"validation_loss jumps by {number(sigma)} from one evaluation to the next, at a level of {number(level)}.",
            [
                Evidence(
                    late.name, None, int(late.steps[0]), late.last_step, sigma, f"below {number(options.jumps * level)}"
                )
            ],
            [
                Recommendation(
                    "Evaluate an average of the weights (decay 0.99 a step, or the last five snapshots).",
                    "Weights that jump at the end of training make every evaluation another model's.",
                    "validation_loss changes less from one evaluation to the next.",
                    "With batch norm the running statistics must be computed again.",
                    "weight-averaging",
                ),
                Recommendation(
                    "Validate on more examples.",
                    "A mean over few examples hangs on the worst of them.",
                    "validation_loss changes by less than a tenth from one evaluation to the next.",
                    recipe="larger-validation-set",
                ),
            ],
        )


def _split_size(accuracy: FloatArray) -> int | None:
    """Return the smallest n for which all values are k / n; None where there is none, or too few values to tell."""
    values = np.unique(np.round(accuracy, 6))
    if len(values) < 4:
        return None
    for low in range(1, LARGEST + 1, 100):
        sizes = np.arange(low, low + 100)
        counts = values[:, None] * sizes
        # 0.005: four values that are no multiples pass with a probability of 1e-8, and 4 digits do up to n = 100
        fits = (np.abs(counts - np.round(counts)) < 0.005).all(axis=0)
        if fits.any():
            return int(sizes[np.argmax(fits)])
    return None
