"""Layers over time: the values of one signal, and what every cell of a screen shows of them.

Time runs by sampled step, not by step: training's first steps, which are sampled most densely, get the room that they
deserve. The numbers on the axis tell which step a column is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trainhealth.series import Columns, FloatArray, IntArray, RunView
from trainhealth.tui.layer_kinds import Kind, scale_of
from trainhealth.tui.ramps import LEVELS, Reduction, Scale

EMPTY, BROKEN, INFINITE = -1, -2, -3  # what a cell shows that has no colour

_COUNTS = {"layers": ("activation_nonfinite",), "parameters": ("gradient_nonfinite", "parameter_nonfinite")}


@dataclass(frozen=True, eq=False)
class HeatMap:
    """The values of one signal that a screen can show: [places, sampled steps]."""

    kind: Kind
    places: tuple[str, ...]
    steps: IntArray
    values: NDArray[np.float32]  # NaN where there is no value
    broken: NDArray[np.bool_]  # where the log counted elements that were no finite numbers

    @cached_property
    def scale(self) -> Scale:
        """What the colours span."""
        return scale_of(self.kind, self.values)

    def codes(self, members: Sequence[int], cells: int) -> NDArray[np.int64]:
        """Return what a row of `cells` cells shows of some places: a level of the ramp, or one of the codes below zero.

        Of several sampled steps that share a cell the kind says what stands for them; of several places, the worst.
        """
        rows = list(members)
        values, broken = self.values[rows], self.broken[rows]
        starts = self.starts(cells)
        if len(self.steps) < cells:  # a sampled step is several cells wide
            values, broken = values[:, starts], broken[:, starts]
            infinite = np.isinf(values)
        else:
            infinite = np.logical_or.reduceat(np.isinf(values), starts, axis=1)
            broken = np.logical_or.reduceat(broken, starts, axis=1)
            values = _reduced(values, starts, self.kind.reduction)
        shares = self.scale.share(values.astype(np.float64))
        share = _worst(shares, self.scale.has_middle)
        with np.errstate(invalid="ignore"):
            levels = np.where(np.isfinite(share), np.floor(share * LEVELS).clip(max=LEVELS - 1), EMPTY)
        marked = np.where(broken.any(axis=0), BROKEN, np.where(infinite.any(axis=0), INFINITE, levels))
        return marked.astype(np.int64)

    def starts(self, cells: int) -> IntArray:
        """Return the number of the first sampled step in each of `cells` cells."""
        return np.asarray(np.arange(cells) * len(self.steps) // cells, np.int64)

    def newest(self, members: Sequence[int]) -> float:
        """Return the newest value of a place; of several, that of the worst. NaN where the newest is broken."""
        if any(self.broken[member, -1] for member in members):
            return float("nan")
        known = [row[~np.isnan(row)] for row in self.values[list(members)]]
        newest = np.array([float(row[-1]) for row in known if len(row)])
        if len(newest) < 2:
            return float(newest[0]) if len(newest) else float("nan")
        middle = self.scale.has_middle
        shares = self.scale.share(newest)
        return float(newest[np.argmax(np.abs(shares - 0.5) if middle else newest)])


def heat_map(view: RunView, kind: Kind) -> HeatMap:
    """Return the places of `kind` that hold a value at any sampled step, be it none that is a number."""
    columns = view.columns(kind.signal)
    broken = _broken(view, columns)
    present = [int(index) for index in np.flatnonzero(_present(columns) | broken.any(axis=1))]
    if kind.weights_only:
        weights = {entry.name for entry in view.parameters if len(entry.shape) >= 2}
        present = [index for index in present if columns.places[index] in weights] or present
    values = columns.values[:, present].T
    places = tuple(columns.places[index] for index in present)
    return HeatMap(kind, places, columns.steps, _held(values) if kind.holds else values, broken[present])


def _present(columns: Columns) -> NDArray[np.bool_]:
    """Return which places have a value; most have one at the newest sampled step, and are not searched."""
    if not len(columns):
        return np.zeros(len(columns.places), bool)
    there: NDArray[np.bool_] = ~np.isnan(columns.values[-1])
    missing = np.flatnonzero(~there)
    there[missing] = ~np.isnan(columns.values[:, missing]).all(axis=0)
    return there


def _broken(view: RunView, columns: Columns) -> NDArray[np.bool_]:
    """Return [places, sampled steps]: whether the log counted elements that are no finite numbers."""
    broken = np.zeros((len(columns.places), len(columns)), bool)
    for name in _COUNTS.get(columns.table, ()):
        count = view.columns(name)
        if not len(count) or not count.values.any():  # NaN is true, and rare
            continue
        at = np.searchsorted(count.steps, columns.steps).clip(max=len(count) - 1)
        positions = {place: position for position, place in enumerate(count.places)}
        rows = np.array([positions.get(place, -1) for place in columns.places], np.int64)
        hit = (count.values[at][:, rows].T > 0) & (rows >= 0)[:, None]
        broken |= hit & (count.steps[at] == columns.steps)
    return broken


def _held(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each row with its gaps filled by the value before."""
    index = np.where(np.isnan(values), 0, np.arange(values.shape[1]))
    return np.take_along_axis(values, np.maximum.accumulate(index, axis=1), axis=1)


def _reduced(values: NDArray[np.float32], starts: IntArray, reduction: Reduction) -> NDArray[np.float32]:
    if reduction is Reduction.MAXIMUM:
        return np.asarray(np.fmax.reduceat(values, starts, axis=1))
    present = ~np.isnan(values)
    counts = np.add.reduceat(present, starts, axis=1, dtype=np.int64)
    sums = np.add.reduceat(np.where(present, values, 0.0), starts, axis=1, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan), np.float32)


def _worst(shares: FloatArray, has_middle: bool) -> FloatArray:
    """Return the worst of each column: the largest, or what lies furthest from a middle that is as it should be."""
    if len(shares) == 1:
        return np.asarray(shares[0])
    if not has_middle:
        return np.asarray(np.fmax.reduce(shares, axis=0))
    away = np.where(np.isnan(shares), -1.0, np.abs(shares - 0.5))
    return np.asarray(np.take_along_axis(shares, away.argmax(axis=0)[None], axis=0)[0])
