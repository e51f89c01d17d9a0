"""Lines of steps, thousands at once: their numbers go from the bytes into columns, without a record for each.

Nearly all of a long log are such lines, and nearly all of those have one of a few shapes: the same bytes but for the
digits. Lines of one shape are a table of bytes, in which every column is a digit or what the shape has there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trainhealth.errors import LogError
from trainhealth.logged_numbers import Number, to_float
from trainhealth.records import EndRecord, Record, Skipped, StartRecord, StepRecord, decode_lines
from trainhealth.series import FloatArray, IntArray

Values: TypeAlias = dict[str, tuple[IntArray, FloatArray]]

MANY = 64  # lines; fewer are read sooner one by one
_ALIKE = 16  # lines of one shape that are worth a table
_SHAPES = 24  # that are looked for in one portion
_LONGEST = 255  # bytes of a line of a step
_DIGITS = 15  # of a number: as an integer it is exact in a double
_SECONDS = 11  # digits of a time before its point: before the year 5138
_EXACT = 22  # 10**22 is the largest power of ten that a double holds exactly

_POWERS = 10.0 ** np.arange(_EXACT + 1)
_FIELD = rb',"([a-z_]+)":(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:e([-+]?\d{1,3}))?'
_FIELDS, _STEP = re.compile(_FIELD), re.compile(rb'\{"kind":"step"(?:' + _FIELD + rb")+\}\n")
_EXPONENT = re.compile(rb"\de[-+\d]")
_ONES = bytes.maketrans(b"0123456789", b"1111111111")
_COUNTS = frozenset({"step", "batch_size"})
_SIGNALS = ("train_loss", "train_accuracy", "gradient_norm", "learning_rate", "batch_size")


class Steps(NamedTuple):
    """Steps one after another, as columns."""

    numbers: IntArray
    times: FloatArray
    values: Values  # signal -> the steps that have it, and its values there
    skipped: list[int]  # steps whose update the loss scaler skipped


@dataclass(frozen=True, slots=True, eq=False)
class Portion:
    """A portion of a log with steps that only go forward, and with neither a start nor an end in it."""

    steps: Steps
    others: Sequence[Record | Skipped]  # in their order
    lines: bytes
    first_number: int  # of the lines

    def records(self) -> list[Record | Skipped]:
        """Return all records in their order: what `records.decode_lines` makes of the lines."""
        return decode_lines(self.lines, self.first_number)[0]


def steps_of(records: Sequence[StepRecord]) -> Steps:
    """Return what records of steps hold."""
    numbers = np.array([record.step for record in records], np.int64)
    # one pass a field, its name written out: three times as fast as getattr, for a million steps
    columns: dict[str, Sequence[Number | None]] = {
        "train_loss": [record.train_loss for record in records],
        "train_accuracy": [record.train_accuracy for record in records],
        "gradient_norm": [record.gradient_norm for record in records],
        "learning_rate": [record.learning_rate for record in records],
        "batch_size": [record.batch_size for record in records],
    }
    losses = [record.losses for record in records]
    for name in dict.fromkeys(chain.from_iterable(filter(None, losses))):
        columns[f"loss/{name}"] = [named.get(name) if named else None for named in losses]
    return Steps(
        numbers,
        np.array([record.time for record in records], np.float64),
        {name: _present(numbers, column) for name, column in columns.items() if column.count(None) < len(column)},
        [record.step for record in records if record.skipped],
    )


def _present(steps: IntArray, column: Sequence[Number | None]) -> tuple[IntArray, FloatArray]:
    """Return the steps that have a value, and the values."""
    if None in column:
        steps = steps[[value is not None for value in column]]
        column = [value for value in column if value is not None]
    # numpy reads "NaN", "Infinity" and "-Infinity" as the floats that they stand for
    return steps, np.array(column, np.float64)


def decode_portion(lines: bytes, first_number: int) -> tuple[Portion | list[Record | Skipped], int]:
    """Return the records of whole lines and the number of lines, as `records.decode_lines` does.

    Where there are many lines and nothing is out of order, the steps come as columns.

    Raises:
        LogError: as `records.decode_lines`.
    """
    ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n")) + 1
    if len(ends) < MANY:
        return decode_lines(lines, first_number)
    starts = np.concatenate([[0], ends[:-1]])
    gathered = _Gathered(len(ends))
    for rows, values in _alike(lines, starts, ends - starts):
        for name, column in values.items():
            gathered.put(name, rows, column)
    rest = np.flatnonzero(~gathered.has("step"))
    others = _others(lines, starts[rest], ends[rest]) if 2 * len(rest) < len(ends) else None
    if others is None:
        return decode_lines(lines, first_number)
    for row, record in zip(rest.tolist(), others, strict=True):
        if isinstance(record, StepRecord):
            gathered.put_record(row, record)
    steps = gathered.steps()
    if not (steps.numbers[1:] > steps.numbers[:-1]).all():
        return decode_lines(lines, first_number)
    left = [record for record in others if not isinstance(record, StepRecord)]
    return Portion(steps, left, lines, first_number), len(ends)


def _others(lines: bytes, starts: IntArray, ends: IntArray) -> list[Record | Skipped] | None:
    """Return the record of each of these lines; None where one is none, or bounds what was written by a process."""
    pieces = [lines[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    try:
        records, _ = decode_lines(b"".join(pieces), 0)
    except LogError:
        return None  # it names a line: that is counted in the whole portion
    bounds = any(isinstance(record, Skipped | StartRecord | EndRecord) for record in records)
    return None if bounds or len(records) != len(pieces) else records


class _Gathered:
    """What is known of the lines of a portion: a column a field, a row a line."""

    def __init__(self, lines: int) -> None:
        self._lines = lines
        self._values: dict[str, FloatArray] = {}
        self._rows: dict[str, list[IntArray | int]] = {}  # those that have a value
        self._skipped: list[int] = []

    def put(self, field: str, rows: IntArray | int, values: FloatArray | float) -> None:
        """Set a field in some rows that do not have it yet."""
        if field not in self._values:
            self._values[field], self._rows[field] = np.empty(self._lines), []
        self._values[field][rows] = values
        self._rows[field].append(rows)

    def put_record(self, row: int, record: StepRecord) -> None:
        """Set a row to what a record says."""
        named = {name: getattr(record, name) for name in ("step", "time", *_SIGNALS)}
        named |= {f"loss/{name}": value for name, value in (record.losses or {}).items()}
        for name, value in named.items():
            if value is not None:
                self.put(name, row, to_float(value))
        if record.skipped:
            self._skipped.append(record.step)

    def has(self, field: str) -> NDArray[np.bool_]:
        """Tell for each row whether it has a field."""
        known = np.zeros(self._lines, bool)
        for rows in self._rows.get(field, ()):
            known[rows] = True
        return known

    def steps(self) -> Steps:
        """Return the rows that are steps, of which there is one at least."""
        every, numbers = np.flatnonzero(self.has("step")), self._values["step"]
        values: Values = {}
        for name, column in self._values.items():
            if name not in ("step", "time"):
                rows = every if len(self._rows[name]) == len(self._rows["step"]) else np.flatnonzero(self.has(name))
                values[name] = numbers[rows].astype(np.int64), column[rows]
        return Steps(numbers[every].astype(np.int64), self._values["time"][every], values, self._skipped)


class _Field(NamedTuple):
    """Where a number's digits stand in a line of some shape, and what each is worth."""

    name: str
    digits: slice
    worth: FloatArray  # of each byte; what the point is worth does not matter
    scale: int  # the number is the digits' integer over 10**scale
    negative: bool

    def of(self, grid: NDArray[np.uint8]) -> FloatArray:
        """Return the numbers in lines [lines, bytes], as the nearest doubles.

        The integer and the power are exact, and a division or multiplication of the two rounds once (Clinger 1990).
        """
        integers: FloatArray = grid[:, self.digits].astype(np.float64) @ self.worth
        numbers: FloatArray = integers / _POWERS[self.scale] if self.scale >= 0 else integers * _POWERS[-self.scale]
        return -numbers if self.negative else numbers


class _Shape(NamedTuple):
    """Lines of steps that are equal but for their digits."""

    zeros: NDArray[np.uint8]  # one of them, its digits zeros; shared, as all of this
    most: NDArray[np.uint8]  # by how much the bytes of another one may exceed that: 9 for digits
    leading: list[int]  # digits that are no zeros
    fields: list[_Field]


def _shape_of(line: bytes) -> _Shape | None:
    """Return the shape of a line; None where it is no step of nothing but numbers, or of too long ones."""
    # the same few shapes come in every portion; those with exponents, whose digits are their own, are rarer
    return _known_shape(line if _EXPONENT.search(line) else line.translate(_ONES))


@lru_cache(maxsize=256)
def _known_shape(line: bytes) -> _Shape | None:
    if not _STEP.fullmatch(line):
        return None
    zeros, most = np.frombuffer(line, np.uint8).copy(), np.zeros(len(line), np.uint8)
    leading: list[int] = []
    fields: list[_Field] = []
    for match in _FIELDS.finditer(line):
        name, (sign, whole, fraction, exponent) = match[1].decode(), match.groups(b"")[1:]
        begin, point, count = match.start(3), match.end(3), len(whole) + len(fraction)
        scale = len(fraction) - int(exponent or 0)
        counted = not (sign or fraction or exponent)
        if count > _DIGITS or abs(scale) > _EXACT or (sign and not fraction):  # JSON's -0 is the integer 0
            return None
        if (name in _COUNTS and not counted) or (name == "time" and len(whole) > _SECONDS - max(-scale, 0)):
            return None
        end = point + (1 + len(fraction) if fraction else 0)
        worth = np.zeros(end - begin)
        worth[: len(whole)] = _POWERS[len(fraction) : count][::-1]
        worth[len(worth) - len(fraction) :] = _POWERS[: len(fraction)][::-1]
        zeros[begin:end], most[begin:end] = ord("0"), 9
        if fraction:
            zeros[point], most[point] = ord("."), 0
        if len(whole) > 1:
            leading.append(begin)
        fields.append(_Field(name, slice(begin, end), worth, scale, bool(sign)))
    proper = {"step", "time"} <= {field.name for field in fields} <= {"step", "time", *_SIGNALS}
    return _Shape(zeros, most, leading, fields) if proper else None


def _alike(lines: bytes, starts: IntArray, lengths: IntArray) -> Iterator[tuple[IntArray, Mapping[str, FloatArray]]]:
    """Yield the rows of lines of one shape and the numbers in them, for the shapes that most lines have."""
    counts = np.bincount(np.minimum(lengths, _LONGEST + 1), minlength=_LONGEST + 2)[: _LONGEST + 1]
    shapes = 0
    for length in np.argsort(-counts, kind="stable")[:_SHAPES].tolist():
        rows = np.flatnonzero(lengths == length) if counts[length] >= _ALIKE else np.empty(0, np.int64)
        while len(rows) >= _ALIKE and shapes < _SHAPES:
            shapes += 1
            start = int(starts[rows[0]])
            shape = _shape_of(lines[start : start + length])
            if shape is None:
                rows = rows[1:]
                continue
            every = np.ndarray((len(lines) - length + 1,), f"V{length}", lines, strides=(1,))  # from every byte on
            grid = every[starts[rows]].view(np.uint8).reshape(len(rows), length)
            grid ^= shape.zeros  # "0" to "9" are 48 to 57, and 48 has none of the bits of 0 to 9
            fits = grid <= shape.most
            found, rows = rows, rows[:0]
            if not fits.all() or not grid[:, shape.leading].all():
                fitting = fits.all(axis=1) & (grid[:, shape.leading] > 0).all(axis=1)
                grid, found, rows = grid[fitting], found[fitting], found[~fitting]
            yield found, {field.name: field.of(grid) for field in shape.fields}  # of a name that comes twice, the last
