"""LS04 plateaued-loss: the training loss fell, and has stood still since, far from its floor, at an unchanged rate."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trainhealth import curves
from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.objective import moving_target
from trainhealth.rules.progress import accuracy, first_level, share_left, too_short
from trainhealth.schedules import Schedule, recognise
from trainhealth.series import RunView, Series


class _Plateau(NamedTuple):
    """A flat stretch at the end of a curve."""

    first_step: int
    begun: float  # level of the run's first values
    level: float
    share: float  # of the run's values


class PlateauedLoss(Rule):
    """The training loss fell and then came to a stand far from its floor, at an unchanged learning rate.

    What it detects
        train_loss (in the loss's own unit) that has stood at one level for the rest of the run, while the rate is still
        what it was.

    Why it matters
        Steps of unchanged length carry the weights to and fro across the valley. A lower rate at this place usually
        brings a further fall at once; more steps at the same rate bring nothing.

    How it decides
        The curve is cut into 32 blocks. The plateau begins at the first block from which on all levels (running medians
        of three) stay within the noise (3 standard errors of a block) or `flat` of the progress made, whichever is
        larger, of the level at the end. It must be at least `lasting` of the run long, and a further fall of more than
        `flat` of the progress must be excluded (the shift between its halves plus two standard errors; no trend beyond
        z = -2). Before it, the loss must have fallen by at least `learnt` of its first level, and stand above `poor` of
        the loss of a model that knows nothing (guessing where that is known, else the first loss), or above
        `poor_and_wrong` where accuracies are known and none is above `accurate`. The rate on the plateau must be
        constant, and at least half of its peak.

    What to try
        A tenth of the rate from where the plateau begins; momentum where there is none; a larger model, if a lower rate
        brings nothing.

    When it is wrong
        The floor of a task that can't be known any better (noisy labels, few features) looks the same from the loss
        alone, so that the finding is a note and a hint. At the floor, a tenth of the rate changes nothing: that is the
        test. Silent where the loss is low or may be negative, where the rate falls, in the first 100 steps, and at the
        loss of guessing or above it (`unlearnt`): there a bad start has healed, and nothing was learnt. It misses
        plateaus between two falls, and those on which the loss still creeps.
    """

    code = "LS04"
    name = "plateaued-loss"
    topic = "loss"
    severity = Severity.NOTE
    confidence = Confidence.HINT
    since = "0.1"
    requires = ("train_loss",)
    uses = ("learning_rate", "train_accuracy", "validation_accuracy")
    references = (
        Reference(
            "Opt Optimizing Neural Networks: learning curves", "The loss has come to a plateau: try decaying the rate."
        ),
        Reference(
            "UO Underfitting and Overfitting: learning rate of SGD",
            "Sampling noise does not vanish at a minimum, so the rate has to be lowered over time.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        lasting: float = option(0.4, "share of the run", "house choice: shorter rests are part of any curve")
        flat: float = option(0.05, "share of the progress", "house choice")
        learnt: float = option(0.25, "share of the first level", "house choice: less is a flat loss or an underfit one")
        poor: float = option(0.5, "share of the loss without knowledge", "house choice: smoothed labels end at 0.4")
        poor_and_wrong: float = option(0.2, "share of the loss without knowledge", "house choice")
        unlearnt: float = option(0.97, "share of the loss without knowledge", "house choice: the scatter of batches")
        accurate: float = option(0.9, "fraction", "house choice: little is left to gain")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the loss stands still, high, at the full rate."""
        losses = curves.clean(run.series("train_loss"))
        reason = moving_target(run) or too_short(run, losses, epochs=16)
        if reason:
            return NotChecked(reason)
        plateau = _find(losses, options)
        if plateau is None:
            return []
        right = accuracy(run)
        poor = options.poor if math.isnan(right) else options.poor_and_wrong
        if not poor < share_left(run, plateau.level) < options.unlearnt or right > options.accurate:
            return []
        schedule = recognise(run.learning_rate)
        if not _unchanged(run, schedule, plateau.first_step):
            return []
        return [self._describe(losses, plateau, schedule)]

    def _describe(self, losses: Series, plateau: _Plateau, schedule: Schedule) -> Finding:
        rate = schedule.last
        at = f" at a constant learning rate of {number(rate)}" if rate > 0 else ""
        last = losses.last_step
        return self.finding(
            f"train_loss fell from {number(plateau.begun)} to {number(plateau.level)} by step {plateau.first_step} and"
            f" has stood there since{at}, for {plateau.share:.0%} of the run.",
            [Evidence("train_loss", None, plateau.first_step, last, plateau.level, "still falling, or near its floor")],
            _recommend(plateau, rate),
            first_step=plateau.first_step,
        )


def _find(losses: Series, options: PlateauedLoss.Options) -> _Plateau | None:
    parts = curves.blocks(losses)
    begun, level = first_level(losses.values), float(np.median(parts.medians[-max(len(parts) // 4, 1) :]))
    progress = begun - level
    if not progress >= options.learnt * abs(begun):
        return None
    first = curves.settled(parts, max(3 * parts.error, options.flat * progress))
    if first >= len(parts) or 1 - first / len(parts) < options.lasting:
        return None
    step = int(parts.first_steps[first])
    stretch = losses.between(step, losses.last_step)
    half = len(stretch) // 2
    change = curves.shift(
        Series("", stretch.steps[:half], stretch.values[:half]), Series("", stretch.steps[half:], stretch.values[half:])
    )
    if -change.least > options.flat * progress or curves.trend(stretch).z < -2:
        return None
    return _Plateau(step, begun, level, len(stretch) / len(losses))


def _unchanged(run: RunView, schedule: Schedule, step: int) -> bool:
    """Tell whether the rate has been the same since `step`, and high; True where it is not logged."""
    rates = run.learning_rate.between(step, run.last_step).finite().values
    if not len(rates):
        return not len(run.learning_rate)
    return float(rates.max() - rates.min()) <= 0.02 * float(rates.max()) and schedule.last >= 0.5 * schedule.peak


def _recommend(plateau: _Plateau, rate: float) -> list[Recommendation]:
    lower = f"from {number(rate)} to {number(rate / 10)}" if rate > 0 else "tenfold"
    below = f"train_loss falls below {number(plateau.level)}"
    return [
        Recommendation(
            f"Lower the learning rate {lower} at step {plateau.first_step}, or whenever the loss stands still.",
            "Shorter steps settle into a valley that long ones keep jumping across.",
            f"{below} within the next tenth of the run.",
            "If nothing changes, the loss was at its floor: the rate was not at fault.",
            "learning-rate-schedule",
            Change("learning_rate", rate, rate / 10) if rate > 0 else None,
        ),
        Recommendation(
            "Enlarge the model if a lower rate brings nothing: twice the width, or one layer more.",
            "A loss that no rate gets lower is as low as this model can bring it.",
            f"{below} within as many steps.",
            "On data that can't be known any better, size only memorises.",
            "larger-model",
        ),
    ]
