"""Statistics of noisy curves: noise, block medians, trend, shifts between stretches, and where a curve settles.

Every function takes a `Series` as it comes: with NaN and infinity (left out), uneven or unordered steps, any scale.
All are robust (a few spikes change little) and linear in the number of points: a million take some 50 ms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from trainhealth.series import FloatArray, IntArray, Series, once

BLOCKS = 32  # enough to see the shape of a curve, few enough to compare every pair
SAMPLED = 100_000  # residuals that a noise estimate rests on at most: it is then good to half a percent

_MAD_TO_SIGMA = 1.4826  # of a normal distribution: sigma over the median absolute deviation
_MEAN_TO_SIGMA = 1.2533  # of a normal distribution: sigma over the mean absolute deviation; the median's inefficiency


@once
def clean(series: Series) -> Series:
    """Return the finite values in order of their steps; those of one step stay in the order of the log."""
    finite = series.finite()
    if np.all(finite.steps[1:] >= finite.steps[:-1]):
        return finite
    order = np.argsort(finite.steps, kind="stable")
    return Series(series.name, finite.steps[order], finite.values[order])


@once
def noise(series: Series) -> float:
    """Return sigma, the standard deviation of one value around the curve; NaN for fewer than three values.

    Each value is compared with the straight line through its two neighbours, so that neither level nor slope counts,
    only what neighbours don't share (Gasser, Sroka and Jennen-Steinmetz 1986, equation 2). The median of the absolute
    differences keeps spikes out. Noise that neighbours share (running averages) is underestimated: `Blocks.error`
    compares at a larger distance.
    """
    curve = clean(series)
    if len(curve) < 3:
        return math.nan
    scale = float(np.abs(curve.values).max()) or 1.0
    at = np.arange(1, len(curve) - 1, 1 + len(curve) // SAMPLED)
    before, value, after = (curve.values[at + i] / scale for i in (-1, 0, 1))  # near the largest float sums overflow
    span = (curve.steps[at + 1] - curve.steps[at - 1]).astype(np.float64)
    late = np.where(span > 0, (curve.steps[at] - curve.steps[at - 1]) / np.where(span > 0, span, 1.0), 0.5)
    early = 1.0 - late
    residuals = np.abs(early * before + late * after - value) / np.sqrt(early**2 + late**2 + 1.0)
    median = _median(residuals)
    # more than half of the residuals are zero where values are rounded: the mean then still sees the steps
    sigma = _MAD_TO_SIGMA * median if median > 0 else _MEAN_TO_SIGMA * float(residuals.mean())
    return sigma * scale


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """A curve cut into stretches of nearly equally many values: the median of each.

    `first_steps`, `last_steps` int64 [k] bound the stretches; `medians` float64 [k]; `size` is the least number of
    values in one; `error` the standard error of one median, in the curve's unit (NaN for fewer than three values).
    """

    first_steps: IntArray
    last_steps: IntArray
    medians: FloatArray
    size: int
    error: float

    def __len__(self) -> int:
        return len(self.medians)


_known_blocks: WeakKeyDictionary[Series, dict[int, Blocks]] = WeakKeyDictionary()


def blocks(series: Series, count: int = BLOCKS) -> Blocks:
    """Return the curve in at most `count` blocks (every value alone where there are no more than `count`).

    The error is the larger one of two: what the noise of single values leaves after the median of a block, and the
    noise of the medians themselves, which also holds what neighbouring values share (autocorrelation).

    Many rules ask for the same blocks of the same long curve: they are kept as long as the series is.
    """
    curve = clean(series)
    known = _known_blocks.setdefault(curve, {})
    if count not in known:
        known[count] = _cut(curve, count)
    return known[count]


def _cut(curve: Series, count: int) -> Blocks:
    if not len(curve):
        return Blocks(curve.steps, curve.steps, curve.values, 0, math.nan)
    bounds = np.linspace(0, len(curve), min(count, len(curve)) + 1).astype(np.int64)
    first, last = bounds[:-1], bounds[1:] - 1
    medians = np.array([_median(curve.values[low : high + 1]) for low, high in zip(first, last, strict=True)])
    medians.setflags(write=False)  # whoever asks next is given the same
    size = int((last - first).min()) + 1
    alone = noise(curve) * (_MEAN_TO_SIGMA / math.sqrt(size) if size > 1 else 1.0)
    together = noise(Series(curve.name, (curve.steps[first] + curve.steps[last]) // 2, medians))
    error = float(np.fmax(alone, together)) if size > 1 else alone
    return Blocks(curve.steps[first], curve.steps[last], medians, size, error)


@dataclass(frozen=True, slots=True)
class Trend:
    """A monotone trend: `slope` a step, `change` over all steps (both in the curve's unit), `z` its significance.

    `z` is standard normal where there is no trend; negative where the curve falls; 0 for fewer than four values.
    """

    slope: float
    change: float
    z: float


def trend(series: Series, count: int = BLOCKS) -> Trend:
    """Return the Theil-Sen slope and the Mann-Kendall statistic of the curve's block medians.

    Blocks take short-range autocorrelation out; what is left between neighbouring blocks widens the variance by
    (1 + r) / (1 - r), with r the correlation of the residuals at lag one (Yue and Wang 2004, for an AR(1) process).
    """
    parts = blocks(series, count)
    if len(parts) < 4:
        return Trend(0.0, 0.0, 0.0)
    steps, values = (parts.first_steps + parts.last_steps) / 2.0, parts.medians
    scale = float(np.abs(values).max()) or 1.0
    values = values / scale
    rows, columns = np.triu_indices(len(values), 1)
    rises, runs = values[columns] - values[rows], steps[columns] - steps[rows]
    apart = runs > 0
    slope = float(np.median(rises[apart] / runs[apart])) if apart.any() else 0.0
    residuals = values - slope * steps
    z = _mann_kendall(rises, values) / math.sqrt(_inflation(residuals - np.median(residuals)))
    return Trend(slope * scale, slope * scale * float(steps[-1] - steps[0]), z)


def _mann_kendall(rises: FloatArray, values: FloatArray) -> float:
    """Return the statistic for the differences of all pairs, corrected for ties (Mann 1945, Kendall 1975)."""
    n = len(values)
    score = float(np.sign(rises).sum())
    ties = np.unique(values, return_counts=True)[1].astype(np.float64)
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    return (score - math.copysign(1.0, score)) / math.sqrt(variance) if score and variance > 0 else 0.0


def _inflation(residuals: FloatArray) -> float:
    """Return by how much autocorrelation widens the variance; 1 where there are too few values to tell."""
    power = float((residuals**2).sum())
    if len(residuals) < 10 or power <= 0:
        return 1.0
    r = float((residuals[1:] * residuals[:-1]).sum()) / power
    r = min(max(r, 0.0), 0.8)  # the residuals of a curved fall look autocorrelated as well: bounded
    return (1 + r) / (1 - r)


@dataclass(frozen=True, slots=True)
class Shift:
    """By how much the level of a curve changed between two stretches, and the standard error of that."""

    amount: float
    error: float

    @property
    def least(self) -> float:
        """The lower end of the range of two standard errors."""
        return self.amount - 2 * self.error

    @property
    def most(self) -> float:
        """The upper end of the range of two standard errors: a change is at most this much."""
        return self.amount + 2 * self.error


def shift(before: Series, after: Series, count: int = 8) -> Shift:
    """Return the level of `after` minus that of `before`, each the median of `count` block medians.

    Both ends of the range together make an equivalence test (Schuirmann 1987): where even `most` is small, the curve
    did not rise by anything that matters, which is more than "no significant rise". NaN where a stretch is empty; an
    infinite error where both are too short to show noise.
    """
    parts = blocks(before, count), blocks(after, count)
    levels = [_median(part.medians) if len(part) else math.nan for part in parts]
    errors = [part.error * _MEAN_TO_SIGMA / math.sqrt(max(len(part), 1)) for part in parts]
    known = [error for error in errors if error == error]
    if len(known) < 2:
        known = known * 2 or [math.inf]  # a stretch without three values has the noise of the other one
    return Shift(levels[1] - levels[0], math.hypot(*known))


def settled(parts: Blocks, band: float) -> int:
    """Return the first block from which on all levels stay within `band` of the end; ``len(parts)`` for none.

    The end is the median of the last quarter; levels are running medians of three, so that single blocks don't count.
    """
    levels = smooth(parts.medians)
    if not len(levels):
        return 0
    end = _median(levels[-max(len(levels) // 4, 1) :])
    outside = np.flatnonzero(np.abs(levels - end) > band)
    return int(outside[-1]) + 1 if len(outside) else 0


def left_start(parts: Blocks, band: float) -> int:
    """Return the first block from which on all levels lie more than `band` below the start; ``len(parts)`` for none.

    The start is the level of the first block.
    """
    levels = smooth(parts.medians)
    near = np.flatnonzero(levels >= levels[0] - band) if len(levels) else np.empty(0, np.int64)
    return int(near[-1]) + 1 if len(near) else 0


def smooth(values: FloatArray) -> FloatArray:
    """Return the running median of three, float64 [n]: single spikes are gone; the two end values stay."""
    if len(values) < 3:
        return values
    low, high = np.minimum(values[:-2], values[2:]), np.maximum(values[:-2], values[2:])
    return np.concatenate([values[:1], np.clip(values[1:-1], low, high), values[-1:]])


def means_until(series: Series, steps: IntArray) -> FloatArray:
    """Return the mean of the values since the previous one of `steps` up to each, float64 [len(steps)]; NaN for none.

    So a loss of every step is brought to the axis of the evaluations. `steps` must not decrease.
    """
    curve = clean(series)
    ends = np.searchsorted(curve.steps, steps, side="right")
    counts = np.diff(ends, prepend=0)
    known = counts > 0
    means = np.full(len(ends), np.nan)
    if known.any():
        with np.errstate(over="ignore", invalid="ignore"):  # no running total: one huge loss would swallow the others
            sums = np.add.reduceat(curve.values[: ends[-1]], (ends - counts)[known])
        means[known] = sums / counts[known]
    return means


def _median(values: FloatArray) -> float:
    """Return the median (halved before they are added, two huge values can't overflow)."""
    low, high = (len(values) - 1) // 2, len(values) // 2
    parts = np.partition(values, (low, high))
    return float(parts[low] / 2 + parts[high] / 2)
