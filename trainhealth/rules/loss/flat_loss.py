"""LS03 flat-loss: the training loss has not fallen since the start."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rate_shapes import Kind
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.chance import Chance, chance_level
from trainhealth.rules.objective import moving_target
from trainhealth.rules.progress import accuracy, first_level, last_level, too_short
from trainhealth.rules.scores import scores
from trainhealth.schedules import recognise
from trainhealth.series import RunView, Series

_LEVELS = tuple(math.log(classes) for classes in (2, 3, 4, 5, 10, 20, 100, 1000))  # of guessing, in other tools' logs
_NEAR = 0.005  # relative distance from such a level that counts as being there
_HIGHEST = 7.0  # of these levels: further up every number is near the logarithm of one
_KNOWING = math.log(2) / 2  # below the loss of any guess among classes, and most of a variance of 1 is explained
_OF_GUESSING = 0.25  # relative distance of an accuracy from that of guessing: classes are not all alike, nor batches
_SURE = 0.1  # share of the first level: where the noise of blocks leaves more room, flat can't be told from slow


class FlatLoss(Rule):
    """The training loss has not fallen since the start: nothing is being learnt.

    What it detects
        train_loss (in the loss's own unit) whose level at the end is that of the beginning, as far as its noise tells.

    Why it matters
        A step that is right lowers the loss within some hundred steps. A loss that does not move means that the model
        does not see the data, does not get gradients, or does not apply them.

    How it decides
        The fall is the difference between the levels (medians of eight block medians) of the first and the last fifth
        of the values, and its range is two standard errors wide on both sides. Flat is what can be called so in spite
        of the noise: the upper end of the range is below `unmoved` of the first level (an equivalence test), and the
        lower end is not above zero, or the upper end is below `barely` of it. In between, no level of a block may have
        left the first one by more than `unmoved` and 3 of its standard errors, which together must be below a tenth;
        nor may the first values lie apart. It is silent where the model was good from the start (below `untrained` of
        the loss of guessing, where that is known), and where an accuracy, or a column of another tool's log that is
        named after such a score (F1, AUC, Dice, IoU, mAP), is above `accurate` or has risen; it waits while the
        learning rate warms up. It is a note where validation_loss has come down: to half of its first value, or by
        more than `improved` of it with a Mann-Kendall z below -2; and where no level of guessing is known and nothing
        says that the run knows little: no accuracy, no loss of log C, and it begins below half of log 2, or later than
        with its first steps.
        It also fires where a loss comes down to that of guessing and stays: all values of the second half within 0.5 %
        of log C, and an accuracy that is that of guessing among C classes, to a quarter.
        It waits for 100 steps in a log by step, and for 8 values in any.

    What to try
        First, whether the model can overfit twenty examples, which tells a defect from a hard task; then the learning
        rate, from 1e-1 to 1e-4; then the initialisation.

    When it is wrong
        A model that was good before the log begins (fine-tuning, a resumed run) has nothing to gain: where the loss of
        guessing is not known, its flat loss looks the same, so that the finding is a hint, and a note if it is low. A
        late start is flat while it lasts. Losses that measure no progress (reinforcement learning, adversaries) are not
        checked, and a loss that may be negative has no level to compare the fall with: silent. It misses a fall that is
        hidden by noise, and a loss that falls by some per cent and stops.
    """

    code = "LS03"
    name = "flat-loss"
    topic = "loss"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    uses = ("learning_rate", "train_accuracy", "validation_accuracy", "validation_loss")
    references = (
        Reference(
            "Tr1 Training Networks (Part 1), Opt Optimizing Neural Networks: choosing hyperparameters",
            "Loss not going down: the learning rate is too low, or the initialisation is bad.",
        ),
        Reference(
            "Opt Optimizing Neural Networks: choosing hyperparameters, steps 2 and 3",
            "Overfit a small sample first; then find a rate that makes the loss drop within about 100 iterations.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        unmoved: float = option(0.02, "share of the first level", "house choice: good rates do it in a few steps")
        barely: float = option(0.002, "share of the first level", "lecture Tr1: 0.007 % in ten epochs barely changes")
        improved: float = option(0.05, "share of the first value", "house choice: `unmoved`, twice and a half")
        untrained: float = option(0.9, "share of the loss of guessing", "house choice: below it, something is known")
        accurate: float = option(0.9, "fraction", "house choice: a model that is right so often has learnt its task")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the loss has provably not fallen."""
        losses = curves.clean(run.series("train_loss"))
        reason = moving_target(run) or too_short(run, losses)
        if reason:
            return NotChecked(reason)
        schedule = recognise(run.learning_rate)
        if schedule.kind is Kind.RISING or (schedule.warm_up_end or 0) > run.last_step // 2:
            return NotChecked("the learning rate has been warming up for most of the run")
        chance = chance_level(run)
        guess = chance.constant * chance.scale if isinstance(chance, Chance) else None
        begun = first_level(losses.values)
        classes = _settles_at_guessing(losses, accuracy(run))
        if classes:
            return [self._describe_guessing(run, losses, classes)]
        if guess is not None and begun < options.untrained * guess:
            return []
        if not _is_flat(losses, begun, options) or _does_well(run, options):
            return []
        return [self._describe(run, losses, begun, guess, options)]

    def _describe_guessing(self, run: RunView, losses: Series, classes: int) -> Finding:
        now, first, last = last_level(losses.values), int(losses.steps[len(losses) // 2]), losses.last_step
        return self.finding(
            f"train_loss has come down to {now:.4g}, that of guessing among {classes} classes, and no further by step"
            f" {last}, with an accuracy of {number(accuracy(run))}: nothing has been learnt.",
            [Evidence("train_loss", None, first, last, now, f"well below {number(math.log(classes))}, log {classes}")],
            _recommend(math.log(classes)),
            first_step=int(losses.steps[0]),
        )

    def _describe(self, run: RunView, losses: Series, begun: float, guess: float | None, options: Options) -> Finding:
        first, last, now = int(losses.steps[0]), losses.last_step, last_level(losses.values)
        chance = f"; a model that knows nothing has {number(guess)}" if guess is not None else ""
        right = accuracy(run)
        validation = run.series("validation_loss").finite()
        learnt = (
            f" validation_loss went from {number(validation.values[0])} to {number(last_level(validation.values))}"
            " meanwhile: it may have been learnt before the first value of train_loss."
            if _has_come_down(validation, options)
            else ""
        )
        unsure = guess is None and right != right and _may_have_learnt_before(run, losses, begun)
        rightly = f", with an accuracy of {number(right)}" if right == right else ""
        return self.finding(
            f"train_loss has not fallen since the start: {begun:.5g} at first, {now:.5g} by step {last}{rightly}"
            f"{chance}.{learnt}",
            [Evidence("train_loss", None, first, last, now, f"well below {number(begun)}, where it began")],
            _recommend(begun),
            severity=Severity.NOTE if learnt or unsure else Severity.WARNING,
            confidence=Confidence.HINT if guess is None and right != right else Confidence.LIKELY,
            first_step=first,
        )


def _is_flat(losses: Series, begun: float, options: FlatLoss.Options) -> bool:
    if losses.values.min() < 0 or not begun > 0:
        return False
    fifth = max(len(losses) // 5, 3)
    first, last = (Series("", losses.steps[part], losses.values[part]) for part in (slice(fifth), slice(-fifth, None)))
    change = curves.shift(first, last)
    most, least = -change.least, -change.most
    if most > options.unmoved * begun or (least > 0 and most > options.barely * begun):
        return False
    parts = curves.blocks(losses)
    levels = curves.smooth(parts.medians)
    room = options.unmoved * begun + 3 * parts.error
    noise = 3 * curves.noise(losses) / math.sqrt(3)  # of the first level, the median of three values
    near = bool((np.abs(levels - levels[0]) <= room).all()) and abs(begun - levels[0]) <= room + noise
    return near and room <= _SURE * begun


def _settles_at_guessing(losses: Series, right: float) -> int:
    """Return the number of classes among which a model guesses, by its loss and by its accuracy; 0 where it does not.

    Of classes that are not equally frequent the lowest loss without knowledge is below log C: then the two don't agree.
    """
    late = losses.values[len(losses) // 2 :]
    level = float(np.median(late))
    if not math.log(1.5) < level < _HIGHEST:
        return 0
    classes = round(math.exp(level))
    stays = bool((np.abs(late / math.log(classes) - 1) <= _NEAR).all())
    return classes if stays and abs(right * classes - 1) <= _OF_GUESSING else 0


def _has_come_down(validation: Series, options: FlatLoss.Options) -> bool:
    """Tell whether the loss of another split has fallen to half, or by less and surely."""
    if len(validation) < 2 or last_level(validation.values) < 0:
        return False
    share = last_level(validation.values) / max(float(validation.values[0]), 1e-300)
    return share <= 0.5 or (share < 1 - options.improved and curves.trend(validation).z < -2)


def _may_have_learnt_before(run: RunView, losses: Series, begun: float) -> bool:
    """Tell whether a flat loss may be that of a model that was good before: it is low, or the log begins late."""
    at_guessing = any(abs(begun / level - 1) <= _NEAR for level in _LEVELS)
    usual = float(np.median(np.diff(losses.steps)))
    return not at_guessing and (begun < _KNOWING or (not run.watched and losses.steps[0] > 2 * max(usual, 1)))


def _does_well(run: RunView, options: FlatLoss.Options) -> bool:
    """Tell whether a score is high or has risen: then the loss is not the measure of what is learnt."""
    others = scores(run)
    if accuracy(run) > options.accurate or any(options.accurate < last_level(score.values) <= 1 for score in others):
        return True
    known = [run.series(name) for name in ("train_accuracy", "validation_accuracy")]
    rises = [curves.trend(score) for score in (*known, *others)]
    return any(rise.z > 3 and rise.change > 0.02 for rise in rises)


def _recommend(begun: float) -> list[Recommendation]:
    falls = f"train_loss falls below {number(begun)} within about 100 steps"
    return [
        Recommendation(
            "Train on twenty examples only, without regularisation, until they are known by heart.",
            "A model that can't even do that has a defect: data, loss, gradient or update.",
            "train_loss falls to almost zero on these twenty; if it does not, look at what reaches the parameters.",
            recipe="check-the-loss",
        ),
        Recommendation(
            "Try learning rates of 1e-1, 1e-2, 1e-3 and 1e-4 for 100 steps each and keep the best.",
            "At a rate that is too low nothing moves, at one that is too high nothing settles.",
            f"{falls} at one of them.",
            "If none does, the rate is not at fault.",
            "find-learning-rate",
        ),
        Recommendation(
            "Initialise the weights for the activation that follows: He for ReLU, Xavier for tanh.",
            "Signals that vanish or saturate on their way leave nothing to learn from.",
            f"{falls}.",
            recipe="he-initialization",
        ),
    ]
