"""Rows of a foreign log (column -> value) -> records: where each row stands, and where the run began anew.

Columns keep their names here. What they mean is decided when all of them are known, in ``foreign.py``: a log may give a
better column later, and whether an accuracy is a fraction or per cent shows only over the whole run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from trainhealth.logged_numbers import Number, to_number
from trainhealth.readers.names import Axis, Names
from trainhealth.records import EpochRecord, EvaluationRecord, EventRecord, Record, StartRecord

ABSENT = frozenset(("", "na", "n/a", "none", "null", "-", "--"))
ANOTHER_RUN = "another-run"  # name of the events that say so; `runs` in their data counts the file's runs so far
LARGEST_STEP = 2**53  # what a record's step may be: what a double holds exactly
# "tensor(3.13, device='cuda:0', grad_fn=<NllLossBackward0>)", "np.float64(0.5)", "<tf.Tensor: shape=(), …, numpy=0.5>"
_WRAPPED = re.compile(
    r"\b(?:[a-z]{2,6}\.)?(?:tensor|array|float\d{2}|bfloat16|int\d{2})"
    r"\(\s*\[{0,2}\s*(?P<number>[-+]?(?:[\d.]+(?:e[-+]?\d+)?|nan|inf))\s*\]{0,2}"
    r"(?:\s*,[^()]{0,80}(?:\([^()]{0,40}\)[^()]{0,80})?)?\)"
    r"|<tf\.Tensor: shape=\(\), dtype=\w+, numpy=(?P<eager>[^<>\s]+)>",
    re.I,
)


class Rows:
    """Gives every row a place on the axis of steps, or of epochs where the log has no steps.

    Where a column comes again at an earlier step, the run was resumed there; where that is its first step, another run
    begins, which replaces the one before, and an event says so. Steps that begin anew where the epoch rises are counted
    on.
    """

    def __init__(self, names: Names, *, fractions: bool = False, once: bool = False) -> None:
        """`fractions`: epochs count parts of epochs (0.02), so that the rows' own number is the axis.

        `once`: a column has one value a step, so that the same step again is another run, too.
        """
        self._names = names
        self._once = once
        self._fractions = fractions
        self._axes: dict[str, Axis | None] = {}  # of every column seen
        self._last: dict[str, int] = {}  # step at which each column came last
        self._within: dict[str, tuple[int, float]] = {}  # the same as it was written, and the epoch
        self._begins: list[tuple[float, int]] = []  # epochs with which steps began anew, and how many came before
        self._first = -1  # step of the run's first row
        self._rows = 0  # of this run, where there is no axis: the number of the row
        self._row: set[str] = set()  # columns that this row has
        self._epoch = 0.0  # of the last row, where epochs count parts
        self._time = 0.0
        self.runs = 0

    def records(self, row: Mapping[str, object], *, step: int | None = None, time: float = 0.0) -> list[Record]:
        """Return the records of one row.

        `step` and `time` (seconds since 1970) are given by formats that have them outside of the row's columns.
        """
        values: dict[str, Number] = {}
        epoch: float | None = None
        own: tuple[int, int] | None = None  # how gladly the row's column of steps is taken, and what it says
        for column, value in row.items():
            axis = self._axis(column)
            number = as_number(value)
            if number is None:
                continue
            if axis is Axis.STEP and math.isfinite(number):
                wish = self._names.meaning(column).preference
                own = (wish, int(number)) if own is None or wish < own[0] else own
            elif axis is Axis.EPOCH and math.isfinite(number):
                epoch = number
            elif axis is Axis.TIME:
                time = time or seconds_since_1970(number)
            if axis is not Axis.TIME:
                values[column] = to_number(number)
        if not any(self._axes[column] is None for column in values):
            return []
        if step is None and own is not None:
            step = own[1] if epoch is None else self._counted_on(own[1], epoch, values)
        self._time = max(self._time, time)
        if step is None and epoch is not None:
            self._fractions = self._fractions or epoch != int(epoch)
            if self._fractions:
                if epoch < self._epoch - 0.5:
                    self._rows, self._row = 0, set()
                self._epoch = epoch
        by_epoch = step is None and epoch is not None and not self._fractions
        at = step if step is not None else int(epoch or 0) if by_epoch else self._counted(values)
        at = min(max(at, 0), LARGEST_STEP)
        records = self._began(at, values)
        if by_epoch and epoch is not None:
            number = min(max(int(epoch), 0), LARGEST_STEP)
            records.append(EpochRecord(step=at, time=self._time, epoch=number, values=values))
        else:
            records.append(EvaluationRecord(step=at, time=self._time, values=values))
        return records

    def _counted_on(self, step: int, epoch: float, values: Mapping[str, Number]) -> int:
        """Return a row's step over all epochs: one that falls where the epoch rises counts within its epoch."""
        for column in [column for column in values if self._axes[column] is None]:
            last, at = self._within.get(column, (step, epoch))
            if epoch < at:  # another run, or one that was resumed
                self._begins = [begin for begin in self._begins if begin[0] <= epoch]
                self._within = {c: place for c, place in self._within.items() if place[1] <= epoch}
            elif step < last and epoch > at and (not self._begins or epoch > self._begins[-1][0]):
                before = max(steps for steps, of in self._within.values() if of < epoch)
                offset = self._begins[-1][1] if self._begins else 0
                self._begins.append((epoch, offset + before + (step == 0)))
            self._within[column] = (step, epoch)
        return step + next((offset for began, offset in reversed(self._begins) if began <= epoch), 0)

    def _counted(self, values: Mapping[str, Number]) -> int:
        """Return the number of a row without a place: the next one where a column comes again."""
        measured = {column for column in values if self._axes[column] is None}
        if measured & self._row:
            self._rows += 1
            self._row = set()
        self._row |= measured
        return self._rows

    def _axis(self, column: str) -> Axis | None:
        if column not in self._axes:
            self._axes[column] = self._names.meaning(column).axis
        return self._axes[column]

    def _began(self, step: int, values: Mapping[str, Number]) -> list[Record]:
        """Return what has to be written before a row at `step`: that a run begins there, or is resumed."""
        measured = [column for column in values if self._axes[column] is None]
        back = any(step < self._last.get(column, -1) + self._once for column in measured)
        records: list[Record] = []
        if self.runs == 0 or back:
            anew = step <= self._first
            if self.runs == 0 or anew:
                self.runs += 1
                self._first = step
            records.append(StartRecord(step=max(step - 1, 0) if back else 0, time=self._time, resumed=back))
            if back:
                message = (
                    f"run {self.runs} of this file begins; it replaces the one before"
                    if anew
                    else f"resumed at step {step}: what had been logged from there on is replaced"
                )
                event = ANOTHER_RUN if anew else "resumed"
                data = {"runs": self.runs}
                records.append(EventRecord(step=step, time=self._time, event=event, message=message, data=data))
            self._last = {column: last for column, last in self._last.items() if last < step and not anew}
        self._last.update(dict.fromkeys(measured, step))
        return records


def seconds_since_1970(number: float) -> float:
    """Return the time that a number stands for, be it in seconds or milliseconds; 0 where it is a duration or none.

    >>> seconds_since_1970(1763712000.5), seconds_since_1970(1763712000500), seconds_since_1970(21.6)
    (1763712000.5, 1763712000.5, 0.0)
    """
    if 1e9 < number < 1e11:
        return number
    return number / 1000 if 1e12 < number < 1e14 else 0.0


def unwrapped(text: str) -> str:
    """Return the text with the bare number for each array of one number that a program printed as such.

    >>> unwrapped("loss: tensor(8.46, device='cuda:0', grad_fn=<NegBackward>), {'acc': np.float64(0.5)}")
    "loss: 8.46, {'acc': 0.5}"
    """
    return _WRAPPED.sub(lambda found: found["number"] or found["eager"], text) if "(" in text else text


def as_number(value: object) -> float | None:
    """Return the number that a cell holds, be it text ("0,41" is 0.41) or a printed tensor; None where it holds none.

    >>> as_number("0,41"), as_number(" 1e-3 "), as_number("nan"), as_number("NA"), as_number("12%"), as_number(True)
    (0.41, 0.001, nan, None, 12.0, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _float(value)
    if not isinstance(value, str):
        return None
    text = value.strip().removesuffix("%").rstrip()
    text = unwrapped(text) if text.endswith((")", ">")) else text
    if text.lower() in ABSENT or "_" in text:
        return None
    number = _float(text)
    return _float(text.replace(",", ".")) if number is None and text.count(",") == 1 else number


def _float(value: str | float) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:  # an integer of more than 308 digits
        return math.inf
