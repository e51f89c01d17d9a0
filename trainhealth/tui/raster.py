"""A series -> dots. Every value counts: a column of dots spans its smallest to its largest value, so no spike hides.

Twelve charts of 100,000 points must be drawn in 50 ms, so nothing here loops over points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trainhealth.series import FloatArray, IntArray, Series
from trainhealth.tui.look import Glyphs

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


def reduce(series: Series, window: Window, columns: int, *, log: bool = False, connect: bool = True) -> Column:
    """Return what `series` spans in each of `columns` equal parts of `window`; on a logarithmic axis, its log10.

    Neighbouring values are connected by a straight line (its crossings of the parts' borders count), and a value that
    is no finite number leaves a gap.
    """
    visible = series.between(window.first, window.last)
    steps, values = visible.steps.astype(np.float64), visible.values
    width = max(window.last - window.first, 1) / max(columns - 1, 1)
    borders: FloatArray = np.asarray(window.first + (np.arange(columns + 1) - 0.5) * width, np.float64)
    finite = np.isfinite(values)
    drawable = finite & (values > 0) if log else finite
    kept: FloatArray = values if drawable.all() else np.where(drawable, values, np.nan)

    starts = np.searchsorted(steps, borders[:-1])
    ends = np.append(starts[1:], len(steps))
    low, high = np.full(columns, np.nan), np.full(columns, np.nan)
    filled = ends > starts
    if filled.any():  # reduceat reads from one start to the next: the starts of empty parts must not be among them
        low[filled] = np.fmin.reduceat(kept, starts[filled])
        high[filled] = np.fmax.reduceat(kept, starts[filled])
    if log:
        low, high = np.log10(low), np.log10(high)
    if connect and len(steps) > 1:
        crossing = _at_borders(steps, kept, borders, log)
        low = np.fmin(low, np.fmin(crossing[:-1], crossing[1:]))
        high = np.fmax(high, np.fmax(crossing[:-1], crossing[1:]))

    def where(hit: Mask) -> IntArray:
        if not hit.any():
            return np.empty(0, np.int64)
        return np.unique(np.searchsorted(borders, steps[hit], side="right") - 1).clip(0, columns - 1)

    below = (values == -np.inf) | (finite & ~drawable)
    return Column(low, high, where(np.isnan(values)), where(values == np.inf), where(below))


def _at_borders(steps: FloatArray, values: FloatArray, borders: FloatArray, log: bool) -> FloatArray:
    """Return the height of the connecting line at each border; NaN where no line crosses it."""
    after = np.searchsorted(steps, borders)
    inside = (after > 0) & (after < len(steps))
    after = after.clip(1, len(steps) - 1)
    before = after - 1
    left, right = values[before], values[after]
    if log:
        left, right = np.log10(left), np.log10(right)
    run = steps[after] - steps[before]
    share = ((borders - steps[before]) / np.where(run > 0, run, 1.0)).clip(0.0, 1.0)
    return np.where(inside, (1 - share) * left + share * right, np.nan)


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
