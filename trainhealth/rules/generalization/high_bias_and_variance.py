"""GE05 high-bias-and-variance: poor on the training data, and much poorer on validation data."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.generalization.comparison import accuracy_gap, resolution
from trainhealth.rules.generalization.poor_fit import Fit, measure_fit
from trainhealth.rules.generalization.underfitting import narrowest_layer
from trainhealth.rules.objective import moving_target
from trainhealth.series import RunView, Series


class HighBiasAndVariance(Rule):
    """The model is poor on its training data and much poorer on validation data: both bias and variance are high.

    What it detects
        A training error (1 - train_accuracy, a fraction) far above the error that can be reached, and a validation
        error far above the training error, in a run that no longer improves.

    Why it matters
        More data alone, or a larger model alone, mends one half: with both high, the model does not suit the task.

    How it decides
        There are at least `least` evaluations. Training and validation accuracy are medians of the last three (training
        as its mean between evaluations). With a target, the error that can be reached (the hyperparameter
        "target_error", or 1 - "target_accuracy"), bias is training error - target, and it fires where bias > `bias` and
        the gap of the two accuracies > `variance`. Without a target, bias counts as high only where train_accuracy a
        has less than half of the possible skill, (a - 1/C) / (1 - 1/C) < 0.5 with C classes, and it is a hint. The gap
        must exceed `variance` by the noise of validation_accuracy and by two examples of its split; neither accuracy
        has risen over the last half (Mann-Kendall z below 1.64, or by less than 0.01). The losses, where both are known
        and what guessing has, must show the gap, too: validation more than a tenth worse than training.

    What to try
        Another architecture, suited to the task; then regularisation, more data; and a look at the labels.

    When it is wrong
        A task on which nobody does better has a high target error: without the target it is judged by guessing, which
        is far below, and the finding is a hint. Where a layer is too narrow for the classes, it is GE02's: silent.
        Strong augmentation, mixup or dropout lower the training accuracy and with it the gap: then it is missed. Label
        noise in both splits looks the same. While either accuracy still rises it is silent; one quadrant alone is
        GE01's (variance) or GE02's (bias).
    """

    code = "GE05"
    name = "high-bias-and-variance"
    topic = "generalization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_accuracy", "validation_accuracy")
    uses = ("train_loss", "validation_loss")
    references = (
        Reference(
            "L16, Practical Aspects: bias and variance",
            "15 % training and 30 % test error, where people make nearly none: high bias and high variance.",
        ),
        Reference(
            "L16, Practical Aspects: basic recipe",
            "High bias: bigger network, longer training, another architecture. High variance: more data,"
            " regularisation, another architecture.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        least: int = option(8, "evaluations", "as GE03: four in the last half")
        bias: float = option(0.1, "error, fraction", "L16: 15 % against nearly 0 is high, 1 % is not")
        variance: float = option(0.1, "accuracy, fraction", "L16: 1 % and 11 %, 15 % and 30 % are high variance")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if both bias and variance are high and nothing improves."""
        reason = moving_target(run)
        if reason:
            return NotChecked(reason)
        gaps, validation = accuracy_gap(run)
        if len(gaps) < options.least:
            return NotChecked(f"it takes {options.least} evaluations with both accuracies, as fractions")
        train = Series("train_accuracy", gaps.steps, gaps.values + validation.values)
        end, gap = _end(train), _end(train) - _end(validation)
        target, guess = _target_error(run), _guess(run)
        if target is None and guess is None:
            return NotChecked("which error can be reached is not known: pass hyperparameters={'target_error': …}")
        poor = (end - (guess or 0)) / (1 - (guess or 0)) < 0.5 if target is None else 1 - end - target > options.bias
        uncertain = max(np.nan_to_num(curves.noise(validation)), 2 * resolution(validation))
        if not poor or narrowest_layer(run) or gap <= options.variance + uncertain:
            return []
        if any(_rises(series) for series in (train, validation)):
            return []
        fit = measure_fit(run)  # accuracies of a few batches are known to a few per cent, their losses better
        if isinstance(fit, Fit) and len(fit.losses) == 2 and not fit.overfits:
            return []
        return [self._describe(train, validation, target)]

    def _describe(self, train: Series, validation: Series, target: float | None) -> Finding:
        end, held = _end(train), _end(validation)
        half, last = int(train.steps[len(train) // 2]), train.last_step
        reach = "" if target is None else f", where {target:.0%} can be reached"
        expected = "far better than guessing" if target is None else f"error near {target:.0%}"
        return self.finding(
            f"The error is {1 - end:.0%} in training and {1 - held:.0%} in validation{reach}, and neither improves:"
            " poor on its own data, and poorer on others.",
            [
                Evidence("train_accuracy", None, half, last, end, expected),
                Evidence("validation_accuracy", None, half, last, held, f"near {number(end)}"),
            ],
            _ADVICE,
            confidence=Confidence.HINT if target is None else None,
        )


_ADVICE = (
    Recommendation(
        "Check 50 of the examples that are wrong in training: are their labels right.",
        "Wrong labels keep the training error up, and what is learnt from them does not hold elsewhere.",
        "Fewer than one label in twenty is wrong.",
        recipe="check-labels",
    ),
    Recommendation(
        "Take a model that suits the data (convolutions for images, attention or recurrence for sequences), pre-trained"
        " where there is one.",
        "A larger model of the same kind lowers the bias and raises the variance.",
        "The training error falls, and the validation error with it.",
        recipe="larger-model",
    ),
    Recommendation(
        "Then augment the training data, so that validation follows.",
        "A model that can learn its training data needs more of them to generalise.",
        "The gap between train_accuracy and validation_accuracy falls below 0.1.",
        "Done first, it raises the training error further.",
        "data-augmentation",
    ),
)


def _target_error(run: RunView) -> float | None:
    """Return the error that can be reached, as the user has given it; None where no fraction was given."""
    settings = run.info.hyperparameters
    error, accuracy = settings.get("target_error"), settings.get("target_accuracy")
    value = error if isinstance(error, int | float) else 1 - accuracy if isinstance(accuracy, int | float) else math.nan
    return float(value) if 0 <= value < 1 else None


def _guess(run: RunView) -> float | None:
    """Return the accuracy of guessing; None where the number of classes is unknown."""
    classes = run.facts.get("classes")
    return 1 / classes if isinstance(classes, int) and classes > 1 else None


def _end(series: Series) -> float:
    return float(np.median(series.values[-3:]))


def _rises(series: Series) -> bool:
    half = len(series) // 2
    change = curves.trend(Series(series.name, series.steps[half:], series.values[half:]))
    return change.z > 1.64 and change.change > 0.01
