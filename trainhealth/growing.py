"""Series and columns that grow while a log is read: amortised appends, and views that never change afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainhealth.logged_numbers import Number
from trainhealth.paging import room
from trainhealth.series import Columns, FloatArray, IntArray, Series, Table

_FIRST_CAPACITY = 64


class GrowingSeries:
    """A series in order of steps, to which values are added at the end."""

    def __init__(self) -> None:
        self._steps: IntArray = np.empty(_FIRST_CAPACITY, np.int64)
        self._values: FloatArray = np.empty(_FIRST_CAPACITY, np.float64)
        self._length = 0
        self._lent = False  # a view shares the arrays: what it sees must not be written over

    def __len__(self) -> int:
        return self._length

    @property
    def last_step(self) -> int:
        """Step of the last value; -1 where there is none."""
        return int(self._steps[self._length - 1]) if self._length else -1

    def extend(self, steps: IntArray, values: FloatArray) -> None:
        """Add values behind the last one."""
        end = self._length + len(steps)
        if end > len(self._steps):
            self._move(max(end, 2 * len(self._steps)))
        self._steps[self._length : end] = steps
        self._values[self._length : end] = values
        self._length = end

    def append(self, step: int, value: float) -> None:
        """Add one value; where `step` lies before the last one, it replaces everything from there on."""
        if step < self.last_step:
            self.truncate(step)
        if self._length == len(self._steps):
            self._move(2 * len(self._steps))
        self._steps[self._length] = step
        self._values[self._length] = value
        self._length += 1

    def truncate(self, step: int) -> None:
        """Forget everything from `step` on."""
        keep = int(np.searchsorted(self._steps[: self._length], step))
        if keep < self._length:
            self._length = keep
            if self._lent:
                self._move(len(self._steps))

    def view(self, name: str) -> Series:
        """Return what is there; later changes do not show in it."""
        self._lent = True
        return Series(name, self._steps[: self._length], self._values[: self._length])

    def _move(self, capacity: int) -> None:
        steps, values = room((capacity,), np.int64), room((capacity,), np.float64)
        steps[: self._length] = self._steps[: self._length]
        values[: self._length] = self._values[: self._length]
        self._steps, self._values, self._lent = steps, values, False


class GrowingValues:
    """Numbers to which others are added at the end; none is ever replaced, so views share the array."""

    def __init__(self) -> None:
        self._values: FloatArray = np.empty(_FIRST_CAPACITY, np.float64)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def extend(self, values: FloatArray) -> None:
        """Add numbers behind the last one."""
        end = self._length + len(values)
        if end > len(self._values):
            known, self._values = self.view(), room((max(end, 2 * len(self._values)),), np.float64)
            self._values[: self._length] = known
        self._values[self._length : end] = values
        self._length = end

    def view(self) -> FloatArray:
        """Return what is there; what is added later does not show in it."""
        return self._values[: self._length]


class GrowingColumns:
    """Rows of one float32 a place; a row that was not written, or a place that it lacks, is NaN."""

    def __init__(self, table: Table, places: tuple[str, ...]) -> None:
        self.table = table
        self.places = places
        self._values = np.full((_FIRST_CAPACITY, len(places)), np.nan, np.float32)
        self._lent = 0  # rows that views share: they must not be written over

    def write(self, row: int, values: ArrayLike, slots: NDArray[np.intp] | slice = slice(None)) -> None:
        """Set the places at `slots` in the rows from `row` on; `values` is [rows, slots], or [slots] for one row."""
        new = np.atleast_2d(np.asarray(values, np.float64))
        self._reserve(row + len(new))
        self._values[row : row + len(new), slots] = new

    def write_row(self, row: int, values: Sequence[Number | None], slots: NDArray[np.intp] | slice) -> None:
        """Set the places at `slots` in one row to logged numbers: what `write` does, at a third of the time."""
        if row >= len(self._values):
            self._reserve(row + 1)
        # numpy reads "NaN", "Infinity" and "-Infinity" as the floats that they stand for, and None as NaN
        self._values[row, slots] = values if isinstance(slots, slice) else np.array(values, np.float64)

    def truncate(self, rows: int) -> None:
        """Forget the rows from number `rows` on."""
        if rows < self._lent:
            self._values, self._lent = self._values.copy(), 0
        self._values[rows:] = np.nan

    def rearrange(self, places: tuple[str, ...]) -> None:
        """Give the columns other places: known ones keep their values, new ones are NaN so far."""
        if places == self.places:
            return
        old = {place: i for i, place in enumerate(self.places)}
        kept = [i for i, place in enumerate(places) if place in old]
        values = np.full((len(self._values), len(places)), np.nan, np.float32)
        values[:, kept] = self._values[:, [old[places[i]] for i in kept]]
        self.places, self._values, self._lent = places, values, 0

    def view(self, signal: str, steps: IntArray) -> Columns:
        """Return the first rows, one a step of `steps`; later changes do not show in it."""
        self._reserve(len(steps))
        self._lent = max(self._lent, len(steps))
        return Columns(signal, steps, self.places, self._values[: len(steps)], self.table)

    def _reserve(self, rows: int) -> None:
        if rows > len(self._values):
            values = room((max(rows, 2 * len(self._values)), len(self.places)), np.float32)
            values[: len(self._values)] = self._values
            values[len(self._values) :] = np.nan
            self._values, self._lent = values, 0


def joined_places(old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    """Return all places in the order of `new`; those that only `old` has stay behind the one that they stood behind.

    >>> joined_places(["conv1", "conv2", "head"], ["conv1", "norm", "head"])
    ('conv1', 'conv2', 'norm', 'head')
    """
    known = set(new)
    behind: dict[str | None, list[str]] = {}
    anchor = None
    for place in old:
        if place in known:
            anchor = place
        else:
            behind.setdefault(anchor, []).append(place)
    result = behind.get(None, [])
    for place in new:
        result += [place, *behind.get(place, [])]
    return tuple(dict.fromkeys(result))
