"""The exponential moving average behind the smoothed curves: debiased, so that it does not start at zero."""

from __future__ import annotations

import numpy as np

from trainhealth.growing import GrowingValues
from trainhealth.series import FloatArray, Series, empty_series
from trainhealth.tui.pyramid import continues

POINTS_A_SPAN = 40  # of a curve: its noise goes, its shape stays
WEAKEST, STRONGEST = -4, 4  # of the strengths: powers of two of the usual span; the weakest smooths nothing
_LARGEST_RISE = 1e12  # a block ends before its weights grow beyond this, to stay far from losing digits


def smoothed(series: Series, strength: int = 0) -> Series:
    """Return `series` smoothed over a fortieth of its length; it has gaps where `series` holds no finite number.

    The span is a power of two: it changes rarely while a run grows, so the curve that has been drawn stays put. A
    `strength` more doubles it.
    """
    return Smoother().follow(series, strength)


class Smoother:
    """The smoothed curve of a series that grows: what has been smoothed is kept."""

    def __init__(self) -> None:
        self._before = empty_series("")
        self._result = GrowingValues()
        self._span, self._average, self._count = 1, 0.0, 0  # the average so far, and of how many values it is

    def follow(self, series: Series, strength: int = 0) -> Series:
        """Return all of `series` smoothed."""
        if not continues(self._before, series):
            self._begin(self._span)
        fresh = series.values[len(self._result) :]
        span = span_for(self._count + int(np.isfinite(fresh).sum()), strength)
        if span != self._span:
            self._begin(span)
            fresh = series.values
        finite = np.isfinite(fresh)
        values = np.full(len(fresh), np.nan)
        values[finite] = moving_average(fresh[finite], 1 - 1 / span, self._average, self._count)
        self._result.extend(values)
        if finite.any():
            self._average = float(values[finite][-1])
            self._count += int(finite.sum())
        self._before = series
        return Series(series.name, series.steps, self._result.view())

    def _begin(self, span: int) -> None:
        self._span, self._average, self._count = span, 0.0, 0
        self._result = GrowingValues()


def span_for(count: int, strength: int) -> int:
    """Return how many values are averaged, of a curve of `count` finite ones."""
    if strength <= WEAKEST:
        return 1
    usual = 1 << max(count // POINTS_A_SPAN, 1).bit_length() - 1
    return max(usual << strength if strength > 0 else usual >> -strength, 1)


def moving_average(values: FloatArray, decay: float, average: float = 0.0, count: int = 0) -> FloatArray:
    """Return the debiased exponential moving average, sum(decay^k v[t-k]) / sum(decay^k), in O(n) without a loop.

    It goes on from the `average` of `count` values before. Within a block the sum is a cumulative sum of values that
    are scaled up by decay^-t.
    """
    if decay <= 0 or not len(values):
        return values.copy()
    scale = max(float(np.abs(values).max()), abs(average)) or 1.0  # so that no sum can overflow
    block = min(max(int(np.log(_LARGEST_RISE) / -np.log(decay)), 1), len(values))
    weights = decay ** -np.arange(block)
    sums = np.empty(len(values))
    carried = average / scale * (1 - decay**count) / (1 - decay)
    for begin in range(0, len(values), block):
        part = values[begin : begin + block] / scale
        rising = weights[: len(part)]
        sums[begin : begin + len(part)] = (np.cumsum(part * rising) + carried * decay) / rising
        carried = float(sums[begin + len(part) - 1])
    averages = sums * (1 - decay) / (1 - decay ** (count + np.arange(1.0, len(values) + 1)))
    return np.asarray(scale * averages.clip(-1.0, 1.0))  # rounding must not carry an average beyond the values
