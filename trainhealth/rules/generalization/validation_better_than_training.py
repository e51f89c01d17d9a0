"""GE06 validation-better-than-training: by more than how it is measured explains."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.generalization.comparison import accuracy_gap, fractions, resolution
from trainhealth.rules.objective import moving_target
from trainhealth.series import FloatArray, RunView, Series


class ValidationBetterThanTraining(Rule):
    """Validation is better than training by more than dropout and the order of measuring explain.

    What it detects
        validation_loss (a mean, in the loss's own unit) that is impossible at its validation_accuracy, or a constant
        small share of train_loss; or a validation_accuracy (a fraction) far above train_accuracy.

    Why it matters
        The two curves are not measured alike: a mean over batches divided by examples, training accuracy of another
        kind, or validation data that are easier, or known. The gap between them then says nothing.

    How it decides
        There are at least `least` evaluations. (1) With cross-entropy (from the loss's graph), a wrong answer costs at
        least log 2, because its own class has at most half of the probability: it fires where validation_loss is below
        `possible` x log 2 x (1 - validation_accuracy) at the median of all evaluations. (2) It fires where the ratio
        validation_loss / train_loss is below `share` and constant: its logarithm differs from its median by less than
        `constant` at three quarters of the evaluations. A train_loss that the log knows to be a sum over the batch is
        not compared. (3) It fires, as a note and a hint, where validation_accuracy exceeds train_accuracy (its mean
        from half an epoch before to half an epoch after) by `better`, three examples of the split and three times the
        noise, over the last third, and the model has no dropout of 0.2 or more.

    What to try
        Evaluate the training data with the code that validates: the two numbers must then agree with the gap.

    When it is wrong
        Dropout, augmentation, mixup and label smoothing make training look worse than it is. Of dropout the log knows;
        of the others it does not: (3) is a hint for that reason, and a loss that is merely lower, or lower by more and
        more, is no finding. The mean of train_loss over an epoch lags half an epoch behind: the training accuracy is
        taken around the evaluation. A very good validation accuracy is no fault, and neither is one that is better by a
        few points. Top-5 accuracy, class weights or a focal loss bend (1) a little: hence `possible`.
    """

    code = "GE06"
    name = "validation-better-than-training"
    topic = "generalization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("validation_loss|validation_accuracy",)
    uses = ("train_loss", "train_accuracy")
    references = (
        Reference(
            "Reg, Regularization: dropout",
            "Dropout is active in training and scaled away at test time: training looks worse than the model is.",
        ),
        Reference(
            "Tr1, Training Networks (Part 1): batch normalization",
            "Layers that behave differently in training and in testing are a very common source of bugs.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        least: int = option(5, "evaluations", "as GE01")
        possible: float = option(0.8, "share of the least possible loss", "house choice: class weights")
        share: float = option(0.2, "share of train_loss", "house choice: batches of 8 and more give 1/8 and less")
        constant: float = option(0.3, "natural logarithm of a ratio", "house choice: by a third up or down")
        better: float = option(0.15, "accuracy, fraction", "house choice: beyond what dropout of 0.1 does")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding for a loss that can't be, else for a constant share, else for the accuracies."""
        reason = moving_target(run)
        if reason:
            return NotChecked(reason)
        loss, accuracy = (curves.clean(run.series(name)) for name in ("validation_loss", "validation_accuracy"))
        if max(len(loss), len(accuracy)) < options.least:
            return NotChecked(f"it takes {options.least} evaluations to tell a habit from an accident")
        found = self._impossible(run, loss, options) or self._constant_share(run, loss, options)
        found = found or self._far_better(run, options)
        return [found] if found else []

    def _impossible(self, run: RunView, loss: Series, options: Options) -> Finding | None:
        """Return the finding for a cross-entropy that is below what the wrong answers alone cost."""
        accuracy = curves.clean(run.series("validation_accuracy"))
        if run.facts.get("loss_function") not in ("cross_entropy", "nll") or not fractions(accuracy):
            return None
        steps, here, there = np.intersect1d(loss.steps, accuracy.steps, return_indices=True)
        if len(steps) < options.least:
            return None
        least = math.log(2) * (1 - accuracy.values[there])
        typical = int(np.argsort(loss.values[here] - options.possible * least)[len(steps) // 2])
        value, bound = float(loss.values[here][typical]), float(least[typical])
        if not value < options.possible * bound:
            return None
        share = float(accuracy.values[there][typical])
        return self.finding(
            f"validation_loss is {number(value)} with a validation_accuracy of {share:.3g}, and the wrong answers alone"
            f" cost {number(bound)}: it is no mean cross-entropy.",
            [Evidence("validation_loss", None, int(steps[0]), int(steps[-1]), value, f"at least {number(bound)}")],
            _DIVIDE,
        )

    def _constant_share(self, run: RunView, loss: Series, options: Options) -> Finding | None:
        """Return the finding for a validation_loss that is a constant small share of train_loss."""
        if run.facts.get("loss_reduction") == "sum":
            return None
        train = curves.means_until(run.series("train_loss"), loss.steps)
        known = np.isfinite(train) & (train > 0) & (loss.values > 0)
        if known.sum() < options.least:
            return None
        ratios = np.log(loss.values[known] / train[known])
        middle = float(np.median(ratios))
        near = float(np.mean(np.abs(ratios - middle) < options.constant))
        if math.exp(middle) >= options.share or near < 0.75 or abs(ratios[0] - middle) > options.constant:
            return None
        ratio = math.exp(middle)
        return self.finding(
            f"validation_loss is {number(ratio)} of train_loss from the first evaluation to the last: the two are not"
            " measured in the same unit.",
            [
                Evidence(
                    "validation_loss",
                    None,
                    int(loss.steps[known][0]),
                    loss.last_step,
                    float(loss.values[known][-1]),
                    f"about {number(float(train[known][-1]))}",
                )
            ],
            _DIVIDE,
        )

    def _far_better(self, run: RunView, options: Options) -> Finding | None:
        """Return the finding for a validation accuracy that is far above that of training."""
        gaps, validation = accuracy_gap(run)
        dropout = run.facts.get("dropout")
        if len(gaps) < options.least or (isinstance(dropout, int | float) and dropout >= 0.2):
            return None
        ahead = validation.values - _around(gaps.values + validation.values)
        late = slice(-max(3, len(ahead) // 3), None)
        least = max(options.better, 3 * resolution(validation), 3 * float(np.nan_to_num(curves.noise(validation))))
        if not ahead[late].min() > least:
            return None
        first, by = int(gaps.steps[late][0]), float(np.median(ahead[late]))
        held = float(np.median(validation.values[late]))
        return self.finding(
            f"validation_accuracy ({number(held)}) is {by:.0%} of all samples above train_accuracy"
            f" ({number(held - by)}).",
            [
                Evidence(
                    "validation_accuracy", None, first, gaps.last_step, held, f"about {number(held - by)}, or below"
                )
            ],
            [*_COMPARE, _LOOK],
            severity=Severity.NOTE,
            confidence=Confidence.HINT,
        )


def _around(train: FloatArray) -> FloatArray:
    """Return the mean of each epoch's value and the next one's: centred on the evaluation between them."""
    return np.concatenate([(train[:-1] + train[1:]) / 2, train[-1:]])


_DIVIDE = (
    Recommendation(
        "Divide the sum of the batches' mean losses by the number of batches; or weight each by its examples, and"
        " divide by the number of examples.",
        "A sum of means that is divided by the number of examples is too small by the batch size.",
        "At the first evaluation validation_loss is about train_loss.",
        recipe="check-the-loss",
    ),
    Recommendation(
        "Evaluate the training data with the code that validates.",
        "The same data must give the same loss, but for dropout and augmentation.",
        "Both losses agree within a few per cent.",
        recipe="check-the-split",
    ),
)
_COMPARE = (
    Recommendation(
        "Evaluate 1000 training examples in evaluation mode, without augmentation.",
        "That takes out dropout, augmentation and the lag of a running mean: what is left is the data.",
        "The accuracy is at least that of validation.",
        recipe="train-and-eval-mode",
    ),
    Recommendation(
        "Look for validation examples that are among the training examples, and for classes that it lacks.",
        "A split that is easier than the training data promises too much.",
        "No example is in both, and the shares of the classes agree.",
        recipe="check-the-split",
    ),
)
_LOOK = Recommendation(
    "Look at 50 training examples that the model gets wrong: is each there once, and is its label right?",
    "Wrong labels, or examples that are there again with another label, can't be learnt; validation has none of them.",
    "With the labels mended, train_accuracy is at least validation_accuracy.",
    recipe="check-labels",
)
