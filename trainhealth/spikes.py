"""Spikes of a noisy curve: stretches that rise at once, far above what came before, and how long they take to heal.

A batch that is hard in itself raises one value, and the next one is back. A spike of the weights' making takes steps to
heal, because the weights have to find back: that difference tells them apart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trainhealth import curves
from trainhealth.series import FloatArray, IntArray, Series

_CHUNK = 32  # values that a spike is compared with: their median and scatter are known to a fifth
_WIDE = 256  # values before a rise that show how skewed the noise is
_RARE = 0.03  # share of them that may be as high
_MAD_TO_SIGMA = 1.4826  # of a normal distribution


class Spike(NamedTuple):
    """A rise that lasted: its first and last step, the level before it, and its height.

    The height is the median of its first values, in the curve's unit above zero. `healed` is False where the curve ends
    within the spike.
    """

    first_step: int
    last_step: int
    level: float
    height: float
    healed: bool


def spikes(series: Series, sigmas: float, lasting: int) -> list[Spike]:
    """Return the rises to more than `sigmas` times the scatter above the level, that last for `lasting` values.

    Level and scatter are the median and the scaled MAD of the 32 values before (a quarter of a curve that has fewer
    than 128). A rise lasts if most of the next `lasting` values lie above half of its threshold, and has healed when
    most no longer do. It is none where more than 3 % of the 256 values before it (without those of other rises) were as
    far above their own levels as its height is: with a share q of such values, 5 or more of 9 are as high by chance
    once in 1 / (126 q^5) steps. Linear in the number of values.
    """
    curve = curves.clean(series)
    chunk = min(_CHUNK, len(curve) // 4)
    if chunk < 3:
        return []
    levels, scatters = _before(curve, chunk)
    halves, above = levels + 0.5 * sigmas * scatters, curve.values - levels
    starts = np.flatnonzero(curve.values > levels + sigmas * scatters)
    starts = starts[_most_above(curve.values, starts, halves[starts], lasting)]
    found: list[Spike] = []
    ordinary = np.ones(len(curve), bool)
    end = 0
    for start in starts.tolist():
        if start < end:
            continue  # within the last spike, or what its values would be compared with
        wide, height = slice(max(start - _WIDE, 0), start), float(np.median(curve.values[start : start + lasting]))
        before = above[wide][ordinary[wide]]
        if lasting > 1 and np.count_nonzero(before >= height - levels[start]) > _RARE * len(before):
            continue
        healed = _healed(curve.values, start, halves[start], lasting)
        last = (healed or len(curve)) - 1
        ordinary[start : last + 1] = False
        steps = int(curve.steps[start]), int(curve.steps[last])
        found.append(Spike(*steps, float(levels[start]), height, healed is not None))
        end = last + 1
    return found


def _before(curve: Series, chunk: int) -> tuple[FloatArray, FloatArray]:
    """Return median and scatter of the chunk before each value's own; infinite levels where there is none."""
    whole = len(curve) // chunk
    chunks = curve.values[: whole * chunk].reshape(whole, chunk)
    medians = np.median(chunks, axis=1)
    scatters = _MAD_TO_SIGMA * np.median(np.abs(chunks - medians[:, None]), axis=1)
    scatters = np.maximum(scatters, 0.25 * curves.noise(curve))  # where values repeat, by chance or rounding
    owner = np.arange(len(curve)) // chunk - 1
    known = owner >= 0
    return np.where(known, medians[owner], np.inf), np.where(known, scatters[owner], 0.0)


def _most_above(values: FloatArray, starts: IntArray, limits: FloatArray, lasting: int) -> np.ndarray:
    """Tell for each start whether most of the `lasting` values from there on are above its limit."""
    padded = np.concatenate([values, np.full(lasting, -np.inf)])  # a rise that has just begun has not lasted yet
    count = sum((padded[starts + k] > limits).astype(np.int64) for k in range(lasting))
    return np.asarray(2 * count > lasting)


def _healed(values: FloatArray, start: int, limit: float, lasting: int) -> int | None:
    """Return from where on most of `lasting` values are below the limit; None where that is never so."""
    width = 16 * lasting
    while True:
        below = values[start : start + width] <= limit
        most = np.flatnonzero(2 * np.convolve(below, np.ones(lasting, np.int64), "valid") > lasting)
        if len(most):
            return start + int(most[0])
        if start + width >= len(values):
            return None
        width *= 2
