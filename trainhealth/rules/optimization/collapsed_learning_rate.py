"""OP14 collapsed-learning-rate: the schedule has driven the rate to nothing long before the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trainhealth import curves
from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rate_shapes import Kind
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.objective import moving_target
from trainhealth.rules.progress import accuracy, last_level, share_left
from trainhealth.schedules import Schedule, recognise
from trainhealth.series import RunView, Series


class _Collapse(NamedTuple):
    """A rate of next to nothing: since which step, how low at the end, and for which share of the run."""

    first_step: int
    rate: float
    share: float


class CollapsedLearningRate(Rule):
    """The schedule has driven the learning rate to nothing long before the end of the run.

    What it detects
        A learning_rate that is a vanishing share of its peak for a good part of the run, and to its end.

    Why it matters
        At a thousandth of the rate, a thousand steps do the work of one: the rest of the run changes nothing. The usual
        defect is a scheduler that counts epochs and is stepped once a batch, or one made for a shorter run.

    How it decides
        nothing = rates of at most `nothing` of the peak. It fires if the rate is nothing from some step to the end, for
        at least `wasted` of the logged steps (at least 10), and the loss had not reached its floor by then: it stands
        above `floor` of that of a model that knows nothing (the first loss, where guessing is not known), and no
        accuracy is above `accurate`. It is a warning where the loss stands above `poor` and had not stopped falling
        while the rate was at work (at least a tenth of the peak, second half of that stretch), else a note. A rate that
        is zero throughout is certain.

    What to try
        Step the scheduler once an epoch, or give it the number of steps of the whole run; end at a hundredth of the
        peak rather than at zero.

    When it is wrong
        A scheduler that waits for plateaus goes down to nothing when the run is at its end, which is a good time to
        stop: a note at most. Schedules that end at zero spend only some two per cent of the run at nothing: silent. A
        loss at its floor has no use for a rate. Losses that may be negative have no floor: a note at most.
    """

    code = "OP14"
    name = "collapsed-learning-rate"
    topic = "optimization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss", "learning_rate")
    uses = ("train_accuracy", "validation_accuracy")
    references = (
        Reference(
            "UO Underfitting and Overfitting: learning rate of SGD",
            "Decay linearly to about 1 % of the initial rate, and leave it constant then.",
        ),
        Reference(
            "L16 Practical Aspects, Opt Optimizing Neural Networks: learning rate",
            "Schedules are laid over the whole run: cosine and linear reach zero at its last step.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        nothing: float = option(1e-3, "share of the peak", "a tenth of the lowest rate that lecture UO decays to")
        wasted: float = option(0.2, "share of the run", "house choice: a cosine to zero spends 2 % there")
        floor: float = option(0.05, "share of the loss without knowledge", "house choice")
        poor: float = option(0.2, "share of the loss without knowledge", "house choice")
        accurate: float = option(0.95, "fraction", "house choice: little is left to gain")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if a good part of the run had no rate to speak of."""
        losses, rates = curves.clean(run.series("train_loss")), run.learning_rate.finite()
        reason = moving_target(run)
        if reason:
            return NotChecked(reason)
        if len(rates) < 10:
            return NotChecked(f"the run is too short to tell: {len(rates)} logged steps with a learning rate")
        schedule = recognise(rates)
        collapse = _find(rates, schedule, options)
        if collapse is None or not len(losses) or schedule.kind is Kind.UNKNOWN:
            return []
        left = share_left(run, last_level(losses.values))
        if left <= options.floor or accuracy(run) > options.accurate:
            return []
        grave = schedule.peak == 0 or (left > options.poor and not _stood_still(losses, rates, schedule))
        return [self._describe(losses, schedule, collapse, grave)]

    def _describe(self, losses: Series, schedule: Schedule, collapse: _Collapse, grave: bool) -> Finding:
        end = last_level(losses.values)
        if schedule.peak == 0:
            message = (
                f"The learning rate is 0 throughout: no step changes anything, and train_loss stays at {number(end)}."
            )
        else:
            kind = "" if schedule.kind is Kind.OTHER else f" ({schedule.name})"
            message = (
                f"The learning rate{kind} fell from {number(schedule.peak)} to {number(collapse.rate)}, and has been"
                f" next to nothing since step {collapse.first_step}, for {collapse.share:.0%} of the run; train_loss"
                f" has stood at {number(end)} since."
            )
        expected = f"above {number(schedule.peak / 1000)}" if schedule.peak > 0 else "above 0"
        return self.finding(
            message,
            [
                Evidence("learning_rate", None, collapse.first_step, losses.last_step, collapse.rate, expected),
                Evidence("train_loss", None, collapse.first_step, losses.last_step, end, "still falling"),
            ],
            _recommend(schedule, collapse, end),
            severity=Severity.WARNING if grave else Severity.NOTE,
            confidence=Confidence.CERTAIN if schedule.peak == 0 else Confidence.LIKELY,
            first_step=collapse.first_step,
        )


def _find(rates: Series, schedule: Schedule, options: CollapsedLearningRate.Options) -> _Collapse | None:
    alive = np.flatnonzero(rates.values > options.nothing * schedule.peak)
    first = int(alive[-1]) + 1 if len(alive) else 0
    length = len(rates) - first
    if length < max(options.wasted * len(rates), 10):
        return None
    return _Collapse(int(rates.steps[first]), float(rates.values[-1]), length / len(rates))


def _stood_still(losses: Series, rates: Series, schedule: Schedule) -> bool:
    """Tell whether the loss had stopped falling while the rate was still at work: then its collapse cost nothing.

    At work is a rate of at least a tenth of the peak. Standing still is a proof, not a lack of one: the second half of
    that stretch lies below the first by less than a fiftieth of its level, two standard errors included.
    """
    work = rates.steps[rates.values >= 0.1 * schedule.peak]
    stretch = losses.between(int(work[len(work) // 2]), int(work[-1]))
    half = len(stretch) // 2
    if not half:
        return False
    early, late = (Series("", stretch.steps[part], stretch.values[part]) for part in (slice(half), slice(half, None)))
    change = curves.shift(early, late)
    return -change.least < 0.02 * abs(float(np.median(early.values)))


def _recommend(schedule: Schedule, collapse: _Collapse, end: float) -> list[Recommendation]:
    later = f"The rate is still above {number(schedule.peak / 100)} in the last tenth"
    verify = f"{later}, and train_loss goes below {number(end)}."
    if schedule.peak == 0:
        return [
            Recommendation(
                "Set a learning rate above 0: 1e-3 for Adam, 1e-2 for SGD, and see whether the loss drops.",
                "A rate of 0 multiplies every update by nothing; a scheduler may have been made with a factor of 0.",
                "train_loss drops within about 100 steps.",
                recipe="find-learning-rate",
            )
        ]
    return [
        Recommendation(
            "Step the scheduler once an epoch if it counts epochs, or give it the number of steps of the whole run.",
            f"It reached the end of its way by step {collapse.first_step}, and the run went on.",
            verify,
            recipe="learning-rate-schedule",
            change=Change("scheduler.step()", "every step", "every epoch"),
        ),
        Recommendation(
            f"Let the schedule end at about {number(schedule.peak / 100)}, a hundredth of the peak.",
            "From there on steps are small enough to settle, and large enough to go somewhere.",
            verify,
            "If the loss is at its floor, stop instead: more steps bring nothing.",
            "learning-rate-schedule",
        ),
    ]
