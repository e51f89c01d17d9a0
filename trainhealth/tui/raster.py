"""A series -> dots. Every value counts: a column of dots spans its smallest to its largest value, so no spike hides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trainhealth.series import FloatArray, IntArray, Series
from trainhealth.tui.across import STEPS, Ruler
from trainhealth.tui.look import Glyphs
from trainhealth.tui.pyramid import ABOVE, BELOW, NAN, NOT_POSITIVE, Pyramid

Cells: TypeAlias = NDArray[np.int32]  # [rows, columns]: a code of the glyphs in use, 0 for an empty cell
Mask: TypeAlias = NDArray[np.bool_]

DOTS = {Glyphs.BRAILLE: (2, 4), Glyphs.BLOCK: (2, 2), Glyphs.ASCII: (1, 1)}  # columns and rows of dots in a cell

_BRAILLE_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.int32)
_BLOCK_BITS = np.array([[1, 2], [4, 8]], np.int32)
_BLOCKS = np.array([ord(block) for block in " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"], np.int32)


class Window(NamedTuple):
    """The steps that a chart shows, first and last included."""

    first: int
    last: int


@dataclass(frozen=True)
class Column:
    """A series reduced to columns of dots: what it spans in each, and where it is no number."""

    low: FloatArray  # [columns], NaN where the column is empty
    high: FloatArray
    nan: IntArray  # columns that hold a NaN
    above: IntArray  # columns that hold +infinity
    below: IntArray  # columns that hold -infinity, or on a logarithmic axis a value that has no logarithm


@dataclass(frozen=True, eq=False)
class Grid:
    """Columns of dots over a window, evenly spaced on a ruler: the first and the last stand at the window's ends."""

    window: Window
    columns: int
    ruler: Ruler = STEPS

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The places of the window's ends."""
        first, last = self.ruler.place(np.array(self.window, np.float64)).tolist()
        return first, last

    @cached_property
    def borders(self) -> FloatArray:
        """The places between the columns, and those outside the first and the last: [columns + 1]."""
        first, last = self.ends
        width = ((last - first) or 1.0) / max(self.columns - 1, 1)
        return np.asarray(first + (np.arange(self.columns + 1) - 0.5) * width, np.float64)

    @cached_property
    def border_steps(self) -> IntArray:
        """The first whole step at or behind each border."""
        return np.ceil(self.ruler.step_at(self.borders)).astype(np.int64)

    def column(self, step: float) -> int:
        """Return the column in which a step lies; steps outside lie in the first or the last."""
        first, last = self.ends
        place = float(self.ruler.place(np.array([min(max(step, self.window.first), self.window.last)]))[0])
        return int((place - first) / ((last - first) or 1.0) * (self.columns - 1) + 0.5)

    def step(self, column: float) -> float:
        """Return the step at the middle of a column."""
        first, last = self.ends
        place = first + (last - first) * column / max(self.columns - 1, 1)
        return float(self.ruler.step_at(np.array([place]))[0])


def reduce(series: Series, pyramid: Pyramid, grid: Grid, *, log: bool = False, holds: float | None = None) -> Column:
    """Return what `series` spans in each column; on a logarithmic axis, its log10.

    Neighbouring values are connected by a straight line (its crossings of the columns' borders count), and a value that
    is no finite number leaves a gap. A series that `holds` keeps its value until the next one, the last one until the
    step that is given.
    """
    first, last = indices(series, grid.window)
    cuts = np.searchsorted(series.steps, grid.border_steps).clip(first, last)
    spans = pyramid.spans(cuts[:-1], cuts[1:])
    high = np.where(np.isfinite(spans.high), spans.high, np.nan)
    low = np.where(np.isnan(high), np.nan, spans.positive if log else spans.low)
    low = np.where(np.isfinite(low), low, np.nan)
    if log:
        low, high = np.log10(low), np.log10(np.where(high > 0, high, np.nan))
    if len(series) > 1 or holds is not None:
        crossing = _at_borders(series, grid, log=log, holds=holds)
        low = np.fmin(low, np.fmin(crossing[:-1], crossing[1:]))
        high = np.fmax(high, np.fmax(crossing[:-1], crossing[1:]))
    below = BELOW | NOT_POSITIVE if log else BELOW
    nan, above, under = (np.flatnonzero(spans.flags & flag) for flag in (NAN, ABOVE, below))
    return Column(low, high, nan, above, under)


def indices(series: Series, window: Window) -> tuple[int, int]:
    """Return the numbers of the first value in a window, and of the first one behind it."""
    first, last = np.searchsorted(series.steps, [window.first, window.last + 1]).tolist()
    return first, last


def _at_borders(series: Series, grid: Grid, *, log: bool, holds: float | None) -> FloatArray:
    """Return the height of the connecting line at each border; NaN where no line crosses it."""
    count = len(series)
    if not count:
        return np.full(grid.columns + 1, np.nan)
    places = grid.borders.clip(*grid.ends)
    after = np.searchsorted(series.steps, np.ceil(grid.ruler.step_at(places)).astype(np.int64))
    begun = after > 0
    before, after = (after - 1).clip(0), after.clip(max=count - 1)
    left, right = series.values[before], series.values[after]
    if holds is not None:
        end = float(grid.ruler.place(np.array([holds]))[0])
        inside = begun & ((series.steps[after] > series.steps[before]) | (places <= end))
        return np.where(inside & np.isfinite(left), _heights(left, log=log), np.nan)
    inside = begun & (before + 1 == after)
    from_place, to_place = grid.ruler.place(series.steps[before]), grid.ruler.place(series.steps[after])
    run = to_place - from_place
    share = ((places - from_place) / np.where(run > 0, run, 1.0)).clip(0.0, 1.0)
    inside &= np.isfinite(left) & np.isfinite(right)
    low, high = _heights(left, log=log), _heights(right, log=log)
    return np.where(inside, (1 - share) * low + share * high, np.nan)


def _heights(values: FloatArray, *, log: bool) -> FloatArray:
    """Return where values stand on the axis: NaN for infinity, and for what has no logarithm where that is asked."""
    drawable = np.isfinite(values) & (values > 0) if log else np.isfinite(values)
    kept = np.where(drawable, values, np.nan)
    return np.asarray(np.log10(kept) if log else kept)


def fill(column: Column, low: float, high: float, rows: int) -> Mask:
    """Return [rows, columns] of dots, the top row first, for the value range from `low` to `high`."""
    scale = (rows - 1) / (high - low)
    level = np.arange(rows - 1, -1, -1)[:, None]
    with np.errstate(invalid="ignore", over="ignore"):
        bottom = np.floor((column.low - low) * scale + 0.5)
        top = np.floor((column.high - low) * scale + 0.5)
        return np.asarray((level >= bottom) & (level <= top))


def to_cells(dots: Mask, glyphs: Glyphs) -> Cells:
    """Return the code of each cell's glyph."""
    across, down = DOTS[glyphs]
    if glyphs is Glyphs.ASCII:
        return dots.astype(np.int32)
    bits = _BRAILLE_BITS if glyphs is Glyphs.BRAILLE else _BLOCK_BITS
    rows, columns = dots.shape[0] // down, dots.shape[1] // across
    parts = dots.reshape(rows, down, columns, across)
    return np.asarray((parts * bits[None, :, None, :]).sum(axis=(1, 3)), np.int32)


def code_points(cells: Cells, glyphs: Glyphs, ascii_glyph: str) -> Cells:
    """Return the characters for the codes of `to_cells`; in ASCII every curve has a character of its own."""
    if glyphs is Glyphs.BRAILLE:
        return np.where(cells > 0, cells + 0x2800, ord(" ")).astype(np.int32)
    return (_BLOCKS if glyphs is Glyphs.BLOCK else np.array([ord(" "), ord(ascii_glyph)], np.int32))[cells]
