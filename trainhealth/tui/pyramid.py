"""What a long series spans, in any ranges of its values, without reading all of them.

Sixteen neighbouring values are one block of the first level, sixteen of its blocks one of the second, and so on. A
range is answered from the largest blocks that lie inside it and the few values at its ends, so the answer is exact, and
a log that grows costs no more than its new blocks.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trainhealth.paging import room
from trainhealth.series import FloatArray, IntArray, Series, empty_series

Flags: TypeAlias = NDArray[np.uint8]

NAN, ABOVE, BELOW, NOT_POSITIVE = 1, 2, 4, 8  # bits: what a range holds beside values that have a logarithm

_FAN = 16  # values of a level in a block of the next
_PORTION = _FAN**4  # values that are taken in at once, to bound the memory that this takes in between
_LOWEST, _HIGHEST, _POSITIVE = range(3)  # rows of a level: smallest, minus the largest, smallest positive finite value


class Spans(NamedTuple):
    """What each of some ranges holds; infinity where it has no finite value (`high`: minus infinity)."""

    low: FloatArray
    high: FloatArray
    positive: FloatArray  # the smallest positive value
    flags: Flags


class Pyramid:
    """The blocks of one series, be it as it was given or as it has grown since."""

    def __init__(self, series: Series | None = None) -> None:
        self._series = empty_series("")
        self._levels: list[_Level] = []
        if series is not None:
            self.follow(series)

    def follow(self, series: Series) -> None:
        """Take in what `series` has more than the one before; begin anew where it is another one."""
        before = self._series
        if len(series) <= len(before) and continues(series, before):
            return  # an earlier state: its blocks are here
        if not continues(before, series):
            self._levels = []
        self._series = series
        self._grow()

    def spans(self, starts: IntArray, ends: IntArray) -> Spans:
        """Return what the values number `starts` to `ends` (not included) span, for several ranges at once."""
        rows = np.full((3, len(starts)), np.inf)
        flags = np.zeros(len(starts), np.uint8)
        for depth in range(len(self._levels) + 1):
            inner_starts, inner_ends = -(-starts // _FAN), ends // _FAN
            inner = (inner_ends > inner_starts) & (depth < len(self._levels))
            outer = np.concatenate([starts, np.where(inner, inner_ends * _FAN, ends)])
            until = np.concatenate([np.where(inner, inner_starts * _FAN, ends), ends])
            found, odd = self._gather(depth, outer, until)
            half = len(starts)
            rows = np.minimum(rows, np.minimum(found[:, :half], found[:, half:]))
            flags |= odd[:half] | odd[half:]
            if not inner.any():
                break
            starts, ends = np.where(inner, inner_starts, 0), np.where(inner, inner_ends, 0)
        return Spans(rows[_LOWEST], -rows[_HIGHEST], rows[_POSITIVE], flags)

    def whole(self, first: int = 0, last: int | None = None) -> Spans:
        """Return what the values number `first` to `last` span (not included; None: to the end): one range."""
        end = len(self._series) if last is None else last
        return self.spans(np.array([first]), np.array([max(end, first)]))

    def _gather(self, depth: int, starts: IntArray, ends: IntArray) -> tuple[FloatArray, Flags]:
        """Return what short ranges of one level span: its values as a table of a row a range."""
        width = int((ends - starts).max(initial=0))
        if not width:
            return np.full((3, len(starts)), np.inf), np.zeros(len(starts), np.uint8)
        index = starts[:, None] + np.arange(width)
        outside = index >= ends[:, None]
        index = np.where(outside, 0, index)
        if depth:
            level = self._levels[depth - 1]
            rows, flags = level.rows[:, index], level.flags[index]
        else:
            rows, flags = _rows_of(self._series.values[index])
        rows[:, outside] = np.inf
        flags[outside] = 0
        return rows.min(axis=-1), np.bitwise_or.reduce(flags, axis=-1)

    def _grow(self) -> None:
        values = self._series.values
        done = len(self._levels[0]) * _FAN if self._levels else 0
        for begin in range(done, len(values) // _FAN * _FAN, _PORTION):
            portion = values[begin : min(begin + _PORTION, len(values) // _FAN * _FAN)]
            self._add(0, *_rows_of(portion))
        for depth in range(1, len(self._levels) + 8):
            if len(self._levels) < depth:
                break
            below = self._levels[depth - 1]
            known = len(self._levels[depth]) * _FAN if depth < len(self._levels) else 0
            fresh = slice(known, len(below) // _FAN * _FAN)
            self._add(depth, below.rows[:, fresh], below.flags[fresh])

    def _add(self, depth: int, rows: FloatArray, flags: Flags) -> None:
        """Add the blocks that values of the level below make; their number is a multiple of `_FAN`."""
        if not len(flags):
            return
        if depth == len(self._levels):
            self._levels.append(_Level())
        blocks = flags.reshape(-1, _FAN)
        self._levels[depth].extend(
            rows.reshape(3, -1, _FAN).min(axis=-1), np.asarray(np.bitwise_or.reduce(blocks, axis=-1))
        )


class _Level:
    """Blocks in order, in arrays with room to grow."""

    def __init__(self) -> None:
        self._rows: FloatArray = np.empty((3, _FAN))
        self._flags: Flags = np.empty(_FAN, np.uint8)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def rows(self) -> FloatArray:
        return self._rows[:, : self._length]

    @property
    def flags(self) -> Flags:
        return self._flags[: self._length]

    def extend(self, rows: FloatArray, flags: Flags) -> None:
        end = self._length + len(flags)
        if end > len(self._flags):
            capacity = max(end, 2 * len(self._flags))
            known, marked = self.rows, self.flags
            self._rows, self._flags = room((3, capacity), np.float64), room((capacity,), np.uint8)
            self._rows[:, : self._length], self._flags[: self._length] = known, marked
        self._rows[:, self._length : end], self._flags[self._length : end] = rows, flags
        self._length = end


def _rows_of(values: FloatArray) -> tuple[FloatArray, Flags]:
    """Return the rows of single values, [3, *values.shape], and their flags."""
    finite = np.isfinite(values)
    rows = np.empty((3, *values.shape))
    rows[_LOWEST], rows[_HIGHEST] = values, -values
    flags = np.where(values <= 0, np.uint8(NOT_POSITIVE), np.uint8(0))
    if not finite.all():
        rows[:, ~finite] = np.inf
        odd = values[~finite]
        flags[~finite] = np.where(np.isnan(odd), NAN, np.where(odd > 0, ABOVE, BELOW))
    rows[_POSITIVE] = np.where(flags == 0, rows[_LOWEST], np.inf)
    return rows, flags


def same_beginning(before: NDArray[Any], now: NDArray[Any]) -> bool:
    """Tell whether `now` begins with all of `before`: at its place in memory (views never change), or by value."""
    if len(now) < len(before) or now.shape[1:] != before.shape[1:]:
        return False
    if before.ctypes.data == now.ctypes.data and before.strides == now.strides:
        return True
    return np.array_equal(before, now[: len(before)], equal_nan=True)


def continues(before: Series, now: Series) -> bool:
    """Tell whether a series is an earlier one, grown or not."""
    return same_beginning(before.values, now.values) and same_beginning(before.steps, now.steps)
