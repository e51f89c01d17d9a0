"""GE10 incomparable-validation: the validation loss is on another scale than the training loss ever was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.chance import Chance, chance_level
from trainhealth.rules.loss_input import CROSS_ENTROPIES
from trainhealth.rules.objective import moving_target
from trainhealth.rules.progress import first_level, last_level
from trainhealth.series import RunView, Series

_FEW = 0.01  # share of wrong answers that even a split without one may have in truth


class IncomparableValidation(Rule):
    """The validation loss is far above what training began with, from the first evaluation on: it measures otherwise.

    What it detects
        The lowest validation_loss of all evaluations against the train_loss (both in the loss's own unit) with which
        training began.

    Why it matters
        A fresh model knows as little about training data as about validation data: both losses begin at the same
        level, and learning takes them down from there. A validation loss that is never anywhere near that level is
        computed otherwise, or on data that were prepared otherwise, and says nothing about the model.

    How it decides
        There are at least `least` evaluations. The lowest validation loss is above `apart` x the first train_loss
        (median of the first three values, without the factor of a sum or of a division by the script), and train_loss
        has not risen since (its last level is no higher). Or it is above `begun` x that in all evaluations, and above
        `error` nats for each wrong answer (validation_loss over 1 - validation_accuracy): a mean over examples can't be
        so high where most of them are right, a sum is.

    What to try
        The loss of the evaluation on a hundred training examples: it must be that of training. If it is not, the code
        differs (a sum instead of a mean, another loss); if it is, the data do (targets or inputs that were not scaled).

    When it is wrong
        A model that was trained before (fine-tuning) begins low on data that it knows, and may be far off on others: by
        less than `apart`. Batch norm's running statistics spoil the first evaluations only. Overfitting makes the loss
        rise after a good beginning: silent. Evaluations of another kind on purpose (perplexity, a sum of other terms)
        are named rightly, if the log calls them validation_loss. Losses that may be negative have no scale: silent.
    """

    code = "GE10"
    name = "incomparable-validation"
    topic = "generalization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss", "validation_loss")
    references = (
        Reference(
            "L16, Practical Aspects: train, dev and test sets",
            "Both sets come from one distribution, and a dev error says something about the model only then.",
        ),
        Reference(
            "Tr1, Training Networks (Part 1): babysitting",
            "The loss of a fresh model is known beforehand (log C): look whether it is reasonable.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        least: int = option(3, "evaluations", "house choice: one may be an accident of the start")
        apart: float = option(10.0, "times the first train_loss", "house choice: other data of one kind differ by less")
        begun: float = option(2.0, "times the first train_loss", "house choice: a fresh model's level, and room")
        error: float = option(50.0, "nats a wrong answer", "house choice: logits that are apart by 50")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if no evaluation came near the level at which training began."""
        reason = moving_target(run)
        if reason:
            return NotChecked(reason)
        train, validation = curves.clean(run.series("train_loss")), run.series("validation_loss").finite()
        if len(validation) < options.least or len(train) < options.least:
            return NotChecked(f"it takes {options.least} evaluations to compare them with training")
        chance = chance_level(run)
        scale = chance.scale if isinstance(chance, Chance) else 1.0  # a sum, or a loss divided for accumulation
        begun, lowest = first_level(train.values) / scale, float(validation.values.min())
        if min(float(train.values.min()), lowest) < 0 or not begun > 0 or last_level(train.values) > scale * begun:
            return []
        summed = lowest > options.begun * begun and _cost_of_an_error(run, validation) > options.error
        return [self._describe(run, begun, lowest)] if summed or lowest > options.apart * begun else []

    def _describe(self, run: RunView, begun: float, lowest: float) -> Finding:
        validation = run.series("validation_loss").finite()
        first, last = int(validation.steps[0]), validation.last_step
        return self.finding(
            f"validation_loss was never below {number(lowest)}, {number(lowest / begun)} times the {number(begun)} with"
            " which train_loss began: the two don't measure the same, or not on data of the same scale.",
            [
                Evidence("validation_loss", None, first, last, lowest, f"near {number(begun)} at first, then lower"),
                Evidence("train_loss", None, 0, last, begun, "the level of a fresh model, on any data"),
            ],
            [
                Recommendation(
                    "Evaluate on 100 training examples with the code that validates.",
                    "The same examples have the same loss, whoever computes it.",
                    "The result is that of training; if it is not, look for a sum instead of a mean, another loss, or"
                    " targets and outputs of different units or shapes.",
                    recipe="check-the-split",
                ),
                Recommendation(
                    "Prepare inputs and targets of both splits with one function: the same scaling, with the training"
                    " data's mean and deviation.",
                    "Targets that are scaled in training only leave an error of their full size in validation.",
                    f"validation_loss begins near {number(begun)}.",
                    recipe="standardize-inputs",
                ),
            ],
        )


def _cost_of_an_error(run: RunView, validation: Series) -> float:
    """Return the lowest loss that falls on each wrong answer of an evaluation (nats); 0 where that is not known."""
    if run.facts.get("loss_function") not in CROSS_ENTROPIES:
        return 0.0
    accuracies = run.series("validation_accuracy").finite()
    shared, here, there = np.intersect1d(validation.steps, accuracies.steps, return_indices=True)
    if len(shared) < len(validation):
        return 0.0
    wrong = np.maximum(1 - accuracies.values[there], _FEW)
    return float((validation.values[here] / wrong).min())
