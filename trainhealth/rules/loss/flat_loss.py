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
        the loss of guessing, where that is known), where an accuracy, or a column of another tool's log that is named
        after such a score (F1, AUC, Dice, IoU, mAP), is above `accurate` or has risen, and while the learning rate
        warms up. It is a note where validation_loss has come down to half of its first value or less. It waits for 100
        steps in a log by step, and for 8 values in any.

    What to try
        First, whether the model can overfit twenty examples, which tells a defect from a hard task; then the learning
        rate, from 1e-1 to 1e-4; then the initialisation.

    When it is wrong
        A model that was good before the log begins (fine-tuning, a resumed run) has nothing to gain: where the loss of
        guessing is not known, its flat loss looks the same, so that the finding is a hint. A late start is flat while
        it lasts. Losses that measure no progress (reinforcement learning, adversaries) are not checked, and a loss
        that may be negative has no level to compare the fall with: silent. It misses a fall that is hidden by noise,
        and a loss that falls by some per cent and stops.
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
        if guess is not None and begun < options.untrained * guess:
            return []
        if not _is_flat(losses, begun, options) or _does_well(run, options):
            return []
        return [self._describe(run, losses, begun, guess)]

    def _describe(self, run: RunView, losses: Series, begun: float, guess: float | None) -> Finding:
        first, last, now = int(losses.steps[0]), losses.last_step, last_level(losses.values)
        chance = f"; a model that knows nothing has {number(guess)}" if guess is not None else ""
        right = accuracy(run)
        validation = run.series("validation_loss").finite().values
        halved = len(validation) > 1 and 0 <= last_level(validation) <= validation[0] / 2
        learnt = (
            f" validation_loss went from {number(validation[0])} to {number(last_level(validation))} meanwhile: it may"
            " have been learnt before the first value of train_loss."
            if halved
            else ""
        )
        rightly = f", with an accuracy of {number(right)}" if right == right else ""
        return self.finding(
            f"train_loss has not fallen since the start: {begun:.5g} at first, {now:.5g} by step {last}{rightly}"
            f"{chance}.{learnt}",
            [Evidence("train_loss", None, first, last, now, f"well below {number(begun)}, where it began")],
            _recommend(begun),
            severity=Severity.NOTE if halved else Severity.WARNING,
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
