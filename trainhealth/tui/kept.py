"""What has been computed from a run's series for its charts, kept from snapshot to snapshot.

A view of a log that grows begins with what the view before it held. So a snapshot costs what is new in it, be the run a
million steps long.
"""

from __future__ import annotations

import numpy as np

from trainhealth.growing import GrowingSeries
from trainhealth.series import Columns, FloatArray, Series
from trainhealth.tui.pyramid import Pyramid, same_beginning
from trainhealth.tui.smoothing import Smoother


class Kept:
    """The blocks, smoothed curves and medians of one run, by name."""

    def __init__(self) -> None:
        self._pyramids: dict[str, Pyramid] = {}
        self._smoothers: dict[str, Smoother] = {}
        self._middles: dict[str, Middle] = {}

    def pyramid(self, key: str, series: Series) -> Pyramid:
        """Return the blocks of a series."""
        pyramid = self._pyramids.setdefault(key, Pyramid())
        pyramid.follow(series)
        return pyramid

    def smoothed(self, key: str, series: Series, strength: int) -> Series:
        """Return a series smoothed."""
        return self._smoothers.setdefault(key, Smoother()).follow(series, strength)

    def middle(self, columns: Columns, chosen: tuple[int, ...]) -> tuple[Series, Series, Series]:
        """Return the smallest, the median and the largest value of the chosen places at every sampled step."""
        return self._middles.setdefault(columns.signal, Middle()).follow(columns, chosen)


class Middle:
    """The spread of a signal over its places, as its table grows."""

    def __init__(self) -> None:
        self._chosen: tuple[int, ...] = ()
        self._values = np.empty((0, 0), np.float32)  # that have been read
        self._series = (GrowingSeries(), GrowingSeries(), GrowingSeries())

    def follow(self, columns: Columns, chosen: tuple[int, ...]) -> tuple[Series, Series, Series]:
        """Return the spread of all rows; a row without a finite value is left out."""
        if chosen != self._chosen or not same_beginning(self._values, columns.values):
            self._chosen, self._values = chosen, columns.values[:0]
            self._series = (GrowingSeries(), GrowingSeries(), GrowingSeries())
        done = len(self._values)
        fresh = columns.values[done:][:, list(chosen)].astype(np.float64)
        known = np.isfinite(fresh).any(axis=1) if chosen else np.zeros(len(fresh), bool)
        steps = columns.steps[done:][known]
        for series, values in zip(self._series, spread(fresh[known]), strict=True):
            series.extend(steps, values)
        self._values = columns.values
        low, middle, high = (series.view(columns.signal) for series in self._series)
        return low, middle, high


def spread(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the smallest, the median and the largest finite value of each row; every row has one.

    (numpy's nanpercentile takes a hundred times as long.)
    """
    if not len(values):
        return np.empty(0), np.empty(0), np.empty(0)
    ordered = np.sort(np.where(np.isfinite(values), values, np.nan), axis=1)  # NaN goes to the end
    counts, rows = np.isfinite(ordered).sum(axis=1), np.arange(len(ordered))
    middle = (ordered[rows, (counts - 1) // 2] + ordered[rows, counts // 2]) / 2
    return ordered[:, 0], middle, ordered[rows, counts - 1]
