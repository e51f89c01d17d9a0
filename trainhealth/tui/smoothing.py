"""The exponential moving average behind the smoothed curves: debiased, so that it does not start at zero."""

from __future__ import annotations

import numpy as np

from trainhealth.series import FloatArray, Series

POINTS_A_SPAN = 40  # of a curve: its noise goes, its shape stays
_LARGEST_RISE = 1e12  # a block ends before its weights grow beyond this, to stay far from losing digits


def smoothed(series: Series) -> Series:
    """Return `series` smoothed over a fortieth of its length; it has gaps where `series` holds no finite number.

    The span is a power of two: it changes rarely while a run grows, so the curve that has been drawn stays put.
    """
    finite = np.isfinite(series.values)
    span = 1 << max(int(finite.sum()) // POINTS_A_SPAN, 1).bit_length() - 1
    values = np.full(len(series), np.nan)
    values[finite] = moving_average(series.values[finite], 1 - 1 / span)
    return Series(series.name, series.steps, values)


def moving_average(values: FloatArray, decay: float) -> FloatArray:
    """Return the debiased exponential moving average, sum(decay^k v[t-k]) / sum(decay^k), in O(n) without a loop.

    Within a block the sum is a cumulative sum of values that are scaled up by decay^-t.
    """
    if decay <= 0 or not len(values):
        return values.copy()
    scale = float(np.abs(values).max()) or 1.0  # so that no sum can overflow
    block = max(int(np.log(_LARGEST_RISE) / -np.log(decay)), 1)
    weights = decay ** -np.arange(block)
    sums = np.empty(len(values))
    carried = 0.0
    for begin in range(0, len(values), block):
        part = values[begin : begin + block] / scale
        rising = weights[: len(part)]
        sums[begin : begin + len(part)] = (np.cumsum(part * rising) + carried * decay) / rising
        carried = float(sums[begin + len(part) - 1])
    averages = sums * (1 - decay) / (1 - decay ** np.arange(1.0, len(values) + 1))
    return np.asarray(scale * averages.clip(-1.0, 1.0))  # rounding must not carry an average beyond the values
