"""GE08 memorised-noise: training ends without errors, and nothing of it ever held for validation data."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.chance import chance_level
from trainhealth.rules.generalization.comparison import fractions
from trainhealth.rules.objective import moving_target
from trainhealth.series import RunView, Series


class MemorisedNoise(Rule):
    """The training data are learnt by heart, and validation was never better than guessing: the labels are noise.

    What it detects
        train_accuracy (a fraction) that ends near 1, or train_loss (in the loss's own unit) that ends near 0, while
        validation_accuracy and validation_loss, whichever are logged, never left the level of guessing.

    Why it matters
        A net can learn any labels, shuffled ones too. What it learns then holds for nothing else.

    How it decides
        There are at least `least` evaluations. Training ends with train_accuracy above `learnt`, or with train_loss
        below `left` of its first value. The best validation_accuracy (median of three
        neighbours) is less than `skill` of the way from guessing to 1, with guessing the share of the most frequent
        class, or 1 / classes; and the best validation_loss is above `gain` x that of guessing: log C with C classes,
        log 2 for binary cross-entropy, the variance of the first targets for the squared error. What is not logged, or
        can't be judged (the loss function or the number of classes is unknown), does not count; one of the two must.

    What to try
        Look at examples with their labels, as the model gets them; check that the validation split is made the same
        way; then train again.

    When it is wrong
        Labels that are right, and a validation split whose labels or inputs are mixed up, look the same: hence both are
        in the advice. So does a task whose inputs say nothing about the answer. Labels of which only a part is wrong
        are missed: validation gains at first (GE01 sees what follows). A very small training set that still teaches
        something is silent. A foreign log says neither the loss function nor the number of classes: not checked.
    """

    code = "GE08"
    name = "memorised-noise"
    topic = "generalization"
    severity = Severity.CRITICAL
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss|train_accuracy", "validation_loss|validation_accuracy")
    uses = ("majority_share",)
    references = (
        Reference(
            "Reg, Regularization: label noise (MentorNet)",
            "Deep networks overfit corrupted labels; a curriculum of examples that are probably right prevents it.",
        ),
        Reference(
            "Zhang et al. 2017, Understanding deep learning requires rethinking generalization",
            "Networks fit random labels to zero training error; test accuracy is that of guessing.",
            "https://arxiv.org/abs/1611.03530",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        least: int = option(5, "evaluations", "as GE01")
        learnt: float = option(0.95, "accuracy, fraction", "house choice: hardly an error left")
        left: float = option(0.1, "share of the first train_loss", "house choice, as GE01")
        skill: float = option(0.1, "share of the way from guessing to 1", "house choice")
        gain: float = option(0.95, "share of the loss of guessing", "house choice: the noise of a small split")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if training ends without errors and no validation curve has ever gained."""
        reason = moving_target(run)
        if reason:
            return NotChecked(reason)
        validated = [run.series(name).finite() for name in ("validation_accuracy", "validation_loss")]
        if max(len(series) for series in validated) < options.least:
            return NotChecked(f"it takes {options.least} evaluations to say that validation never gained")
        answers = [_gained_accuracy(run, validated[0], options), _gained_loss(run, validated[1], options)]
        known = [series for series, gained in zip(validated, answers, strict=True) if gained is not None]
        if not known:
            return NotChecked("what guessing gives is not known: it takes the loss function, or the number of classes")
        trained = _learnt(run, options)
        return [self._describe(run, trained, known)] if trained and not any(answers) else []

    def _describe(self, run: RunView, trained: Series, known: list[Series]) -> Finding:
        validation, last = known[0], run.last_step
        best = _best(validation)
        first = int(validation.steps[0])
        return self.finding(
            f"{trained.name} ends at {number(_end(trained))}, and {validation.name} was never better than"
            f" {number(best)}: what is learnt holds for no other data.",
            [
                Evidence(validation.name, None, first, last, best, "better than guessing after the first epochs"),
                Evidence(trained.name, None, first, last, _end(trained), f"no better than {validation.name}"),
            ],
            _ADVICE,
        )


_ADVICE = (
    Recommendation(
        "Look at 20 training examples with their labels, as the batch holds them: after shuffling and augmentation.",
        "A net that learns everything by heart and nothing in general has labels that don't belong to their inputs.",
        "Labels and inputs match, and validation is better than guessing after the first epoch.",
        recipe="check-labels",
    ),
    Recommendation(
        "Evaluate on 100 training examples with the code that validates.",
        "Where labels, order or preprocessing differ only in validation, the curves look the same.",
        "The result is that of training; if it is not, the validation code is at fault.",
        recipe="check-the-split",
    ),
)


def _learnt(run: RunView, options: MemorisedNoise.Options) -> Series | None:
    """Return the training curve that ends near perfection, or None."""
    accuracy, loss = curves.clean(run.series("train_accuracy")), curves.clean(run.series("train_loss"))
    if len(accuracy) and fractions(accuracy) and _end(accuracy) > options.learnt:
        return accuracy
    learnt = len(loss) > 3 and loss.values[0] > 0 and -loss.values[0] < _end(loss) < options.left * loss.values[0]
    return loss if learnt else None


def _gained_accuracy(run: RunView, accuracy: Series, options: MemorisedNoise.Options) -> bool | None:
    """Tell whether the best accuracy beats guessing; None where it can't be judged."""
    classes, majority = run.facts.get("classes"), run.series("majority_share").finite().values
    if not len(accuracy) or not fractions(accuracy) or not isinstance(classes, int) or classes < 2:
        return None
    guess = max(1 / classes, float(np.median(majority)) if len(majority) else 0.0)
    if guess >= 1:
        return None
    return (_best(accuracy) - guess) / (1 - guess) >= options.skill


def _gained_loss(run: RunView, loss: Series, options: MemorisedNoise.Options) -> bool | None:
    """Tell whether the best loss beats guessing; None where it can't be judged."""
    chance = chance_level(run)
    if not len(loss) or isinstance(chance, str):
        return None
    return _best(loss) <= options.gain * chance.constant  # a validation loss is a mean, whatever the training loss is


def _best(series: Series) -> float:
    levels = curves.smooth(series.values)
    return float(levels.max() if series.name == "validation_accuracy" else levels.min())


def _end(series: Series) -> float:
    values = series.values[-max(3, len(series) // 20) :]
    return float(np.median(values)) if len(values) else math.nan
