"""Two curves of one signal beside each other: where they end, whether that is a difference, and where they part."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from trainhealth import curves
from trainhealth.series import RunView, Series
from trainhealth.signals import HIGHER_IS_BETTER

COMPARED = ("validation_accuracy", "validation_loss", "train_accuracy", "train_loss")  # what says most comes first
ERRORS = 3.0  # standard errors from which two levels differ
# By how much the validation loss of one program differs from seed to seed, which no single run shows: up to 0.18 of
# the level for small nets on scikit-learn's data, more for losses near zero (measured with benchmarks/accuracy).
SEEDS = 0.2
LEAST_ACCURACY = 0.01  # of an accuracy: a smaller difference is told, and decides nothing
BINS = 16  # stretches in which two curves are compared
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


def partings(before: RunView, after: RunView, end: int) -> Iterator[Parting]:
    """Yield how the curves up to step `end` compare that both runs have and that mean the same in both."""
    kind = ("loss_function", "loss_reduction")
    same_loss = all(before.facts.get(fact) == after.facts.get(fact) for fact in kind)
    for name in COMPARED:
        one, other = (_until(run.series(name), end) for run in (before, after))
        if not (len(one) and len(other)) or (name.endswith("_loss") and not same_loss):
            continue
        yield Parting(name, level(one), level(other), _chance(one, other), _parting_step(one, other))


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

    One value's noise, and not that of the median: a level wanders as far as its values do. An accuracy is a share of
    so many examples as well: sqrt(p (1 - p) / n), with 1 / n the smallest step between two of its values.
    """
    errors = []
    for series in (one, other):
        errors.append(curves.noise(series))
        if series.name.endswith("accuracy"):
            share = min(max(level(series), 0.0), 1.0)
            steps = np.diff(np.unique(np.round(series.finite().values, 6)))
            errors.append(math.sqrt(share * (1 - share) * float(steps.min())) if len(steps) else 0.0)
    return math.hypot(*errors)


def _parting_step(one: Series, other: Series) -> int | None:
    """Return the step from which one curve stays above the other to the end of what both have; None: none."""
    one, other = curves.clean(one), curves.clean(other)
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
        signs.append(int(np.sign(difference)) if abs(difference) > ERRORS * error else 0)
        starts.append(math.ceil(low))
    if not signs or signs[-1] == 0:
        return None
    apart = len(signs)
    while apart and signs[apart - 1] == signs[-1]:
        apart -= 1
    return starts[apart]
