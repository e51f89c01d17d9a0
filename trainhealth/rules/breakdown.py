"""How a training loss shows that the run is broken: it is lost for good, or it never got away from its start."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

import numpy as np

from trainhealth import curves
from trainhealth.rules.base import number
from trainhealth.rules.chance import Chance, chance_level
from trainhealth.series import FloatArray, RunView, Series, once

EXPLOSION = 3.0  # L16 and Tr1: "if the cost is ever > 3 * original cost, break out early"
SETTLING = 50  # steps: what happens within them is the first steps' doing, and they may heal by themselves
LEARNT = 0.7  # share of the untrained loss: who has been below it had learnt something
_NO_NUMBER = re.compile(
    r"\b(nan|nans|inf|infs|infinite|infinity|non-?finite|overflow\w*|diverg\w*)\b|not finite"
    r"|all elements of input should be between 0 and 1",  # BCELoss, of what a sigmoid has made of NaN
    re.IGNORECASE,
)
_BATCHES = 20  # values that may each be of one batch: a few hard ones come together by chance, or by their order
_BY_LUCK = 0.05  # share of the latest values: where more are as low as the first one, that was one of them
_EVEN = 0.25  # share of a rise: a break has a step between neighbouring blocks of a curve that is larger
_BEGINNING = 32  # values of train_loss
_TO_AND_FRO = 4  # times across 0: a likelihood that falls below it crosses it once, or thrice with its noise
UNLEARNT = 0.9  # share of the untrained loss: who stands above it knows next to nothing


class Breakdown(NamedTuple):
    """A loss that went wrong and stayed so: how, from which step to which, and the numbers that show it."""

    kind: Literal["nonfinite", "exploded", "broken off", "relapsed", "stuck", "stalled"]
    first_step: int  # the last one of health
    last_step: int  # where it was complete
    observed: float
    expected: str
    fact: str  # a clause: "train_loss …"


@once
def ended_in_ruin(run: RunView) -> Breakdown | None:
    """Return the breakdown of a loss that is non-finite, or far above the original cost, and stays there."""
    losses = run.series("train_loss")
    finite = np.isfinite(losses.values)
    if not finite.any() or not finite[0]:
        return None  # never a number: no step can have done it
    return _nonfinite(losses, run) or _exploded(losses, run)


def _nonfinite(losses: Series, run: RunView) -> Breakdown | None:
    finite = np.isfinite(losses.values)
    lasting = not finite[-3:].any() or run.ended is not None or not run.has("update_ratio")
    if finite[-1] or not lasting:
        return None  # a loss scaler's probing, or the newest value of a run that goes on
    index = int(np.flatnonzero(finite)[-1]) + 1
    value, step = float(losses.values[index]), int(losses.steps[index])
    fact = f"train_loss is {number(value)} from step {step} on"
    limit = EXPLOSION * float(losses.values[0])
    return Breakdown("nonfinite", last_healthy(losses, index, limit), step, value, "a number", fact)


def _exploded(losses: Series, run: RunView) -> Breakdown | None:
    start = float(losses.values[0])
    by_step = run.has("update_ratio")  # other logs may hold a value an epoch
    if start <= 0 or len(losses) < (SETTLING if by_step else 5):
        return None
    start = _swing(losses.values) or start
    limit = EXPLOSION * start
    values = np.where(np.isfinite(losses.values), losses.values, np.inf)
    recent = recent_level(values, at_least=5)
    single = not by_step and len(losses) > len(run.epochs)  # a value may be of one batch, in any order of batches
    if np.mean(values[-max(5, len(values) // 10) :] <= start) > _BY_LUCK:
        return None
    if recent <= limit or (single and np.count_nonzero(values[-_BATCHES:] <= limit) > len(values[-_BATCHES:]) // 4):
        return None
    index = int(np.argmax(losses.values > limit))
    fact = f"train_loss rose from {number(start)} to {number(recent)} and stays there"
    step = last_healthy(losses, index, limit)
    return Breakdown("exploded", step, losses.last_step, recent, f"below 3 x {number(start)}", fact)


def _swing(values: FloatArray) -> float:
    """Return how far from 0 the first values go, where they go to and fro across it; 0 where they don't.

    The loss of a policy, or of a difference, begins anywhere in that swing: its very first value is no level.
    """
    first = values[:_BEGINNING][np.isfinite(values[:_BEGINNING])]
    crossings = np.count_nonzero(np.diff(np.sign(first)))
    return float(np.abs(first).max()) if crossings >= _TO_AND_FRO else 0.0


def broke_off(run: RunView) -> Breakdown | None:
    """Return the breakdown of a run whose script raised in the first steps over a loss, or a number, gone wild."""
    losses = run.series("train_loss").finite()
    if run.error is None or not 0 < len(losses) <= SETTLING or run.last_step >= SETTLING:
        return None
    start, last = float(losses.values[0]), float(losses.values[-1])
    exploded = start > 0 and last > EXPLOSION * start
    if not exploded and not _NO_NUMBER.search(run.error.message):
        return None
    moved = f"train_loss rose from {number(start)} to {number(last)}, and then " if exploded else ""
    fact = f"{moved}the script raised {run.error.type} after {run.last_step + 1} steps"
    return Breakdown(
        "broken off", int(losses.steps[0]), run.last_step, last, f"near {number(start)}, and falling", fact
    )


@once
def lost_its_progress(run: RunView) -> Breakdown | None:
    """Return the breakdown of a loss that had fallen well and gave half of it back, for good."""
    losses = run.series("train_loss").finite()
    untrained = untrained_loss(run)
    if len(losses) < SETTLING or not untrained > 0:
        return None
    parts = curves.blocks(losses)
    levels = curves.smooth(parts.medians)
    lowest = int(np.argmin(levels))
    best, recent = float(levels[lowest]), float(np.median(levels[-3:]))
    middle = best / 2 + untrained / 2
    if best > LEARNT * untrained or recent < middle or len(levels) - lowest <= 3:
        return None
    risen = (losses.steps > parts.last_steps[lowest]) & (losses.values >= middle)
    index = int(np.argmax(risen))
    fact = (
        f"train_loss fell to {number(best)} by step {parts.last_steps[lowest]}, rose after step {losses.steps[index]} "
        f"and stands at {number(recent)}"
    )
    step = last_healthy(losses, index, middle)
    return Breakdown("relapsed", step, int(losses.steps[index]), recent, f"about {number(best)} or less", fact)


def never_learnt(run: RunView, level: float) -> Breakdown | None:
    """Return the breakdown of a loss that stands at `level` of the untrained loss or above, and no longer falls."""
    losses = run.series("train_loss").finite()
    untrained = untrained_loss(run)
    if len(losses) < SETTLING or not untrained > 0:
        return None
    levels = curves.smooth(curves.blocks(losses).medians)
    recent = float(np.median(levels[-3:]))
    if recent < level * untrained:
        return None
    unlearnt = recent >= UNLEARNT * untrained
    quarter = len(levels) // 4
    falling = np.median(levels[-quarter:]) < 0.9 * np.median(levels[-2 * quarter : -quarter])
    if not unlearnt and (falling or len(losses) < 4 * SETTLING):
        return None  # it may yet get there
    start = float(losses.values[0])
    fact = f"train_loss began at {number(start)} and stands at {number(recent)} after {losses.last_step + 1} steps"
    kind: Literal["stuck", "stalled"] = "stuck" if unlearnt else "stalled"
    expected = f"well below {number(untrained)}, which is what guessing gives"
    return Breakdown(kind, int(losses.steps[0]), losses.last_step, recent, expected, fact)


def rises_evenly(losses: Series) -> bool:
    """Tell whether a rise is spread over the whole curve: no block of it brings a quarter of what it has risen by.

    Steps that are too large break a run within few of them, and an overflow grows faster and faster: either way a few
    of the 32 blocks hold most of the rise. A curve of fewer than 8 values can't tell.
    """
    parts = curves.blocks(losses)
    if len(parts) < 8:
        return False
    begun = float(losses.finite().values[0])
    levels = np.concatenate([[begun], curves.smooth(parts.medians)])
    return bool(np.diff(levels).max() < _EVEN * (levels[-1] - begun))


def better_since(run: RunView, step: int) -> Series | None:
    """Return the evaluations from `step` on, where they have become better, and better than any before; else None.

    Better is a Mann-Kendall z beyond 2 in the good direction, over at least 5 evaluations, the last three of which have
    a median that passes all earlier ones.
    """
    for name, sign in (("validation_loss", -1), ("validation_accuracy", 1)):
        series = run.series(name).finite()
        since = series.between(step, run.last_step + 1)
        if len(since) < 5 or sign * curves.trend(since).z <= 2:
            continue
        scores, before = sign * since.values, sign * series.between(0, step - 1).values
        if float(np.median(scores[-3:])) > float(np.max(before, initial=scores[0])):
            return since
    return None


def poor_loss(run: RunView, level: float) -> Breakdown | None:
    """Return in which way the loss is poor, if it is: in ruin, relapsed, or stalled at `level` of the untrained one."""
    return ended_in_ruin(run) or lost_its_progress(run) or never_learnt(run, level)


def untrained_loss(run: RunView) -> float:
    """Return the level that training has to leave: the first loss, or that of guessing where it is lower."""
    losses = run.series("train_loss").finite()
    start = float(losses.values[0]) if len(losses) else float("nan")
    chance = chance_level(run)
    return min(start, chance.constant * chance.scale) if isinstance(chance, Chance) else start


def recent_level(values: FloatArray, at_least: int = 1) -> float:
    """Return the median of the last tenth of the values, and of no fewer than `at_least`."""
    tail = max(at_least, len(values) // 10) | 1  # odd: the median is one of the values, two huge ones are not added
    return float(np.median(values[-tail:]))


def last_healthy(losses: Series, index: int, limit: float) -> int:
    """Return the last step before `index` at which the loss was still near its best, a tenth of the way to `limit`."""
    before = losses.values[:index]
    if not len(before):
        return int(losses.steps[index])
    best = float(np.nanmin(before))
    near = np.flatnonzero(before <= best + 0.1 * max(limit - best, 0.0))
    return int(losses.steps[near[-1] if len(near) else index])  # a best of minus infinity has nothing near it
