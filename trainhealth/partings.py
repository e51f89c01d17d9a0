"""Two curves of one signal beside each other: where they end, whether that is a difference, and where they part."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from trainhealth import curves
from trainhealth.series import FloatArray, RunView, Series
from trainhealth.signals import HIGHER_IS_BETTER

COMPARED = ("validation_accuracy", "validation_loss", "train_accuracy", "train_loss")  # what says most comes first
ERRORS = 3.0  # standard errors from which two levels differ
# By how much the validation loss of one program differs from seed to seed, which no single run shows: up to 0.18 of
# the level for small nets on scikit-learn's data, more for losses near zero (measured with benchmarks/accuracy).
SEEDS = 0.2
LEAST_ACCURACY = 0.01  # of an accuracy: a smaller difference is told, and decides nothing
BINS = 16  # stretches in which two curves are compared
MANY = 16  # values of a stretch whose quartiles say something
_MEDIAN = 1.2533  # standard error of the median of normal noise, over that of the mean


@dataclass(frozen=True, slots=True)
class Parting:
    """Two curves of one signal: their last levels (NaN: not finite), and the step from which they stay apart."""

    signal: str
    before: float
    after: float
    error: float  # by how much the levels may differ by chance, in the signal's unit; NaN for too few values
    step: int | None  # None: they never part for good

    @property
    def gain(self) -> float:
        """By how much the second run is better, in the signal's unit; negative where it is worse."""
        difference = self.after - self.before
        return difference if self.signal in HIGHER_IS_BETTER else -difference

    @property
    def decided(self) -> int:
        """1 where the second run is better by more than chance and another seed, -1 where it is worse, else 0."""
        if math.isnan(self.gain):
            return math.isfinite(self.after) - math.isfinite(self.before)
        if self.signal.endswith("accuracy"):
            matters = LEAST_ACCURACY
        else:
            matters = SEEDS * max(abs(self.before), abs(self.after))
        least = max(ERRORS * self.error if math.isfinite(self.error) else 0.0, matters)
        return 0 if abs(self.gain) <= least else 1 if self.gain > 0 else -1

    @property
    def apart(self) -> str:
        """Where the curves part, in words."""
        if self.step is not None:
            return f"apart from step {self.step:,} on"
        return "too few values to tell where they part" if math.isnan(self.error) else "the curves stay together"


def partings(before: RunView, after: RunView, end: int) -> Iterator[Parting]:
    """Yield how the curves up to step `end` compare that both runs have and that mean the same in both."""
    same_loss = _same_loss(before, after)
    for name in COMPARED:
        one, other = (_until(run.series(name), end) for run in (before, after))
        if not (len(one) and len(other)) or (name.endswith("_loss") and not same_loss):
            continue
        yield Parting(name, level(one), level(other), _chance(one, other), _parting_step(one, other))


def _same_loss(before: RunView, after: RunView) -> bool:
    """Tell whether the losses mean the same: one function and reduction, and both begin on the same side of zero.

    torch names no function for a loss written by hand; whose sign was turned round begins on the other side.
    """
    if any(before.facts.get(fact) != after.facts.get(fact) for fact in ("loss_function", "loss_reduction")):
        return False
    firsts = [curves.clean(view.series("train_loss")).values[:3] for view in (before, after)]
    return not all(map(len, firsts)) or float(np.median(firsts[0])) * float(np.median(firsts[1])) >= 0


def _until(series: Series, end: int) -> Series:
    """Return the part up to step `end`, in order of its steps."""
    order = np.argsort(series.steps, kind="stable")
    order = order[: int(np.searchsorted(series.steps[order], end, side="right"))]
    return Series(series.name, series.steps[order], series.values[order])


def level(series: Series) -> float:
    """Return the median of the last tenth (of at least three values); NaN where most of it is not finite."""
    last = series.values[-max(3, len(series) // 10) :]
    finite = last[np.isfinite(last)]
    return float(np.median(finite)) if 2 * len(finite) > len(last) else math.nan


def _chance(one: Series, other: Series) -> float:
    """Return the standard error of the difference between the two last levels.

    One value's noise where values are few, that of a stretch's median where they are many: what wanders from stretch
    to stretch counts as well. An accuracy is a share of so many examples, too: sqrt(p (1 - p) / n), with 1 / n the
    smallest step between two values of one run, since a run that is stuck shows few (both are evaluated alike).
    """
    errors = [curves.blocks(series).error for series in (one, other)]
    if one.name.endswith("accuracy"):
        steps = [np.diff(np.unique(np.round(series.finite().values, 6))) for series in (one, other)]
        smallest = min((float(step.min()) for step in steps if len(step)), default=0.0)
        shares = [min(max(level(series), 0.0), 1.0) for series in (one, other)]
        errors += [math.sqrt(share * (1 - share) * smallest) for share in shares]
    return math.hypot(*errors)


def _parting_step(one: Series, other: Series) -> int | None:
    """Return the step from which one curve stays above the other to the end of what both have; None: none.

    Where one of them ends in NaN or infinity, and the other does not, that is at the latest where it broke.
    """
    broke = [step for step in map(_broken_from, (one, other)) if step is not None]
    parted = _apart_from(curves.clean(one), curves.clean(other))
    return broke[0] if parted is None and len(broke) == 1 else parted


def _broken_from(series: Series) -> int | None:
    """Return the first step after the last finite value of a curve whose last level is not finite; None: it is."""
    if math.isfinite(level(series)):
        return None
    finite = np.flatnonzero(np.isfinite(series.values))
    return int(series.steps[min(int(finite[-1]) + 1, len(series) - 1)]) if len(finite) else int(series.steps[0])


def _apart_from(one: Series, other: Series) -> int | None:
    """Return the same of two curves without gaps, whose values are finite."""
    if not (len(one) and len(other)):
        return None
    end = min(one.last_step, other.last_step)
    begin = max(int(one.steps[0]), int(other.steps[0]))
    edges = np.linspace(begin, end + 1, min(BINS, max(end - begin, 1)) + 1)
    signs: list[int] = []
    starts: list[int] = []
    noise = [curves.noise(series) for series in (one, other)]
    for low, high in pairwise(edges.tolist()):
        parts = [series.between(math.ceil(low), math.ceil(high) - 1).values for series in (one, other)]
        if not all(len(part) for part in parts):
            continue
        error = math.hypot(*(_MEDIAN * n / math.sqrt(len(part)) for n, part in zip(noise, parts, strict=True)))
        difference = float(np.median(parts[1]) - np.median(parts[0]))
        apart = abs(difference) > ERRORS * error or _without_overlap(*parts)
        signs.append(int(np.sign(difference)) if apart else 0)
        starts.append(math.ceil(low))
    if not signs or signs[-1] == 0:
        return None
    first = len(signs)
    while first and signs[first - 1] == signs[-1]:
        first -= 1
    return starts[first]


def _without_overlap(one: FloatArray, other: FloatArray) -> bool:
    """Tell whether the middle halves of many values lie apart.

    In normal noise that is as much as three standard errors of the medians of 16 values; where one run breaks out, its
    values scatter over so many powers of ten that nothing lies beyond their noise.
    """
    if min(len(one), len(other)) < MANY:
        return False
    (low, high), (other_low, other_high) = (np.quantile(values, (0.25, 0.75)) for values in (one, other))
    return bool(high < other_low or other_high < low)
