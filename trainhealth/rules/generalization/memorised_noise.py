"""GE08 memorised-noise: training ends without errors, and nothing of it ever held for validation data."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.chance import chance_level
from trainhealth.rules.generalization.comparison import fractions, resolution
from trainhealth.rules.generalization.guessing import EVEN, classes_of, is_worse_than_guessing, majority_share
from trainhealth.rules.generalization.poor_fit import share_right
from trainhealth.rules.objective import moving_target
from trainhealth.rules.progress import STEPS
from trainhealth.rules.sampled import examples_an_epoch
from trainhealth.series import RunView, Series

_SURELY = 2.0  # Mann-Kendall's z
_NEARLY_EVEN = 0.6  # share of the more frequent one of two classes


class MemorisedNoise(Rule):
    """The training data are learnt by heart, and validation was never better than guessing: the labels are noise.

    What it detects
        train_accuracy (a fraction) that ends near 1, or train_loss (in the loss's own unit) that ends near 0, while
        validation_accuracy and validation_loss, whichever are logged, never left the level of guessing.

    Why it matters
        A net can learn any labels, shuffled ones too. What it learns then holds for nothing else.

    How it decides
        There are at least `least` evaluations. Guessing has the accuracy of the most frequent class, or 1 / classes,
        and a loss of log C with C classes, log 2 for binary cross-entropy, the variance of the first targets for the
        squared error. Training ends with train_accuracy more than `learnt` of the way from guessing to 1, or with
        train_loss below `left` of its first value and of guessing. The best validation_accuracy (median of three
        neighbours) is less than `skill` of the way from guessing to 1, and the best validation_loss is above `gain` x
        that of guessing. What is not logged, or can't be judged (the loss function or the number of classes is
        unknown), does not count; one of the two must. Where one class has more than `majority` of the training targets,
        and the accuracy is below that share, guessing is 1 / classes: validation data are mixed otherwise.
        Who learns noise by heart names the classes as often as they are, whatever the input is, and no longer the most
        frequent one: where there are two classes of shares p and 1 - p, that is right in p^2 + (1 - p)^2 of all cases.
        A validation_accuracy whose last third lies above that by `surely` standard errors (and by `skill` / 2), when
        all is learnt, tells that something holds for other data, however little: silent.
        An accuracy that ends four standard errors below 1 / classes, of classes that are about as frequent, tells that
        the two splits number their classes differently. A validation loss that stays within `same` of where it began
        tells that other weights are evaluated than are trained: those that learn by heart get worse.
        While training is on its way, it is a warning: train_accuracy more than `partly` of the way from guessing to 1
        and rising (Mann-Kendall z above 2), or train_loss below `fallen` of guessing and falling, over `evaluations`
        evaluations of which none gained (or an accuracy by less than `surely` standard errors of so many examples as
        the split has, while no validation_loss at all was below that of guessing). A warning, too, and a hint, where
        the model is too small to learn by heart: the mean train_loss of the last third is below that of guessing by
        `surely` standard errors, and each validation loss of the last two thirds (`evaluations` or more) above it (the
        median by `apart` of guessing above the training loss), of classes that are about as frequent: whatever is
        learnt makes the answers worse.

    What to try
        Look at examples with their labels, as the model gets them; check that the validation split is made the same
        way; then train again.

    When it is wrong
        Labels that are right, and a validation split whose labels or inputs are mixed up, look the same: hence both are
        in the advice. So does a task whose inputs say nothing about the answer. Labels of which only a part is wrong
        are missed: validation gains at first (GE01 sees what follows). So few examples that an epoch has less than
        `few` are learnt by heart whatever their labels say: silent. A foreign log says neither the loss function nor
        the number of classes: not checked.
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
        majority: float = option(0.7, "share of the targets", "as DA04")
        partly: float = option(0.15, "share of the way from guessing to 1", "house choice: beyond the noise of batches")
        fallen: float = option(0.8, "share of the loss of guessing", "as GE02: below it, something is learnt")
        evaluations: int = option(8, "evaluations", "as GE03: four in the last half")
        apart: float = option(0.02, "share of the loss of guessing", "house choice: less is hardly anything learnt")
        same: float = option(0.02, "share of the first validation loss", "house choice: as LS03's flat curves")
        surely: float = option(3.0, "standard errors", "one in a thousand by chance")
        few: int = option(100, "examples an epoch", "house choice: ten of each of ten classes")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if training ends without errors and no validation curve has ever gained."""
        reason = moving_target(run)
        if reason:
            return NotChecked(reason)
        validated = [run.series(name).finite() for name in ("validation_accuracy", "validation_loss")]
        if max(len(series) for series in validated) < options.least:
            return NotChecked(f"it takes {options.least} evaluations to say that validation never gained")
        answers = [_gained_accuracy(run, validated[0], options), _gained_loss(run, validated[1], options)]
        lucky = bool(answers[0]) and answers[1] is False and _is_luck(run, validated[0], validated[1], options)
        known = [series for series, gained in zip(validated, answers, strict=True) if gained is not None]
        if not known:
            return NotChecked("what guessing gives is not known: it takes the loss function, or the number of classes")
        if (any(answers) and not lucky) or examples_an_epoch(run) < options.few:
            return []
        trained, severity = None if lucky else _learnt(run, options), Severity.CRITICAL
        if trained and _beats_a_draw(run, validated[0], options):
            return []
        if trained is None and max(len(series) for series in known) >= options.evaluations:
            trained, severity = _learning(run, options), Severity.WARNING
        if trained is None and _learns_nothing_general(run, validated[1], options):
            found = self._describe(
                run, curves.clean(run.series("train_loss")), [validated[1]], Severity.WARNING, options
            )
            return [dataclasses.replace(found, confidence=Confidence.HINT)]
        return [self._describe(run, trained, known, severity, options)] if trained else []

    def _describe(
        self, run: RunView, trained: Series, known: list[Series], severity: Severity, options: Options
    ) -> Finding:
        validation, last = known[0], run.last_step
        best = _best(validation)
        ends = "ends at" if severity is Severity.CRITICAL else "has come to"
        first, worse = int(validation.steps[0]), is_worse_than_guessing(run, validation)
        losses = run.series("validation_loss").finite().values
        stands = len(losses) >= options.least and float(np.ptp(losses)) < options.same * abs(float(losses[0]))
        ended = f"{trained.name} {ends} {number(_end(trained))}, and {validation.name}"
        return self.finding(
            f"{ended} to {number(_end(validation))}, worse than guessing, as no chance explains: the classes have other"
            " numbers than in training."
            if worse
            else f"{ended} was never better than {number(best)}: what is learnt holds for no other data.",
            [
                Evidence(validation.name, None, first, last, best, "better than guessing after the first epochs"),
                Evidence(trained.name, None, first, last, _end(trained), f"no better than {validation.name}"),
            ],
            [*([_CLASS_NUMBERS] if worse else []), *([_SAME_WEIGHTS] if stands else []), *_ADVICE],
            severity=severity,
        )


_CLASS_NUMBERS = Recommendation(
    "Compare the numbers of the classes in both splits: class_to_idx of both data sets, or one encoder for both.",
    "Data sets that number their classes by themselves (folders, encoders that are fitted twice) may differ.",
    "Validation accuracy is far above guessing at once, without training anew.",
    recipe="check-the-split",
)
_SAME_WEIGHTS = Recommendation(
    "Evaluate the model whose parameters the optimizer holds: no copy of it, no average with a long memory.",
    "What is learnt by heart makes the validation loss rise; here it has stayed where it began, as untrained weights"
    " leave it.",
    "validation_loss moves with train_loss from the first evaluation on.",
    recipe="weight-averaging",
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
    """Return the training curve that ends near perfection, or None.

    A loss that began far above guessing (inputs or weights of the wrong scale) has come down a long way when it guesses
    at last, and a net that names only the majority is mostly right: both are measured from guessing.
    """
    accuracy, loss = curves.clean(run.series("train_accuracy")), curves.clean(run.series("train_loss"))
    guess = max(majority_share(run), 1 / (classes_of(run) or math.inf))
    if len(accuracy) and fractions(accuracy) and share_right(run, accuracy) > guess + options.learnt * (1 - guess):
        return accuracy
    chance = chance_level(run)
    if isinstance(chance, str):
        return None  # what falls may be a penalty
    start = min(float(loss.values[0]), chance.constant * chance.scale) if len(loss) else 0.0
    return loss if len(loss) > 3 and start > 0 and -start < _end(loss) < options.left * start else None


def _learning(run: RunView, options: MemorisedNoise.Options) -> Series | None:
    """Return a training curve that has left guessing and goes on, or None."""
    accuracy, loss = curves.clean(run.series("train_accuracy")), curves.clean(run.series("train_loss"))
    classes = classes_of(run)
    if len(accuracy) and fractions(accuracy) and classes:
        guess = max(majority_share(run), 1 / classes)
        if share_right(run, accuracy) > guess + options.partly * (1 - guess) and curves.trend(accuracy).z > _SURELY:
            return accuracy
    chance = chance_level(run)
    if isinstance(chance, str) or not len(loss):
        return None
    left = 0 <= _end(loss) < options.fallen * chance.constant * chance.scale
    return loss if left and curves.trend(loss).z < -_SURELY else None


def _learns_nothing_general(run: RunView, validation: Series, options: MemorisedNoise.Options) -> bool:
    """Tell whether training has come below the loss of guessing, and validation stays above it all the while."""
    chance, losses, classes = chance_level(run), curves.clean(run.series("train_loss")), classes_of(run)
    late, heard = losses.values[-(len(losses) // 3) :], validation.values[len(validation) // 3 :]
    even = classes > 0 and 0 < majority_share(run) <= EVEN / classes
    if isinstance(chance, str) or not even or len(late) < STEPS or len(heard) < options.evaluations:
        return False
    error = float(np.std(late)) / math.sqrt(len(late))
    level = float(np.mean(late)) / chance.scale
    below = level < chance.constant - options.surely * error / chance.scale
    apart = float(np.median(heard)) - level > options.apart * chance.constant
    return below and apart and bool((heard > chance.constant).all())


def _gained_accuracy(run: RunView, accuracy: Series, options: MemorisedNoise.Options) -> bool | None:
    """Tell whether the best accuracy beats guessing; None where it can't be judged."""
    classes, majority = classes_of(run), majority_share(run)
    if not len(accuracy) or not fractions(accuracy) or not classes or majority >= 1:
        return None
    best, even = _best(accuracy), 1 / classes
    # an accuracy below the majority's share comes from validation data that hold less of it: there it is no guess
    guess = even if majority > options.majority and best < majority else max(even, majority)
    return (best - guess) / (1 - guess) >= options.skill


def _beats_a_draw(run: RunView, accuracy: Series, options: MemorisedNoise.Options) -> bool:
    """Tell whether an accuracy ends above that of naming two classes at random, as often as they are.

    Where one class is frequent, a net that is not sure names it more often than that: there it says nothing.
    """
    majority, third = majority_share(run), len(accuracy) // 3
    if classes_of(run) != 2 or not 0.5 <= majority <= _NEARLY_EVEN or not third or not fractions(accuracy):
        return False
    drawn = majority**2 + (1 - majority) ** 2
    error = math.sqrt(drawn * (1 - drawn) * resolution(accuracy))
    return float(np.median(accuracy.values[-third:])) - drawn > max(options.surely * error, options.skill / 2)


def _is_luck(run: RunView, accuracy: Series, losses: Series, options: MemorisedNoise.Options) -> bool:
    """Tell whether the best accuracy of a small split may be chance, and no loss was ever below that of guessing."""
    chance, classes = chance_level(run), classes_of(run)
    if isinstance(chance, str) or not classes or majority_share(run) > EVEN / classes:
        return False
    guess = max(majority_share(run), 1 / classes)
    error = math.sqrt(guess * (1 - guess) * resolution(accuracy))
    enough = len(losses) >= options.evaluations
    return enough and bool((losses.values > chance.constant).all()) and _best(accuracy) - guess < options.surely * error


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
