"""Plain text: what training scripts print. Lines in which a loss or an accuracy stands beside its number.

    Epoch 3/10: loss: 0.41 - val_loss: 0.55          step 250: train loss 2.4313, val loss 2.4457
    [1/30] iter: 100/278. lr:0.00003 Loss: 0.095     Epoch: [3][10/200]  Loss 2.31 (2.40)  Acc@1 41.2 (40.9)

A name counts if it means a signal (``names.py``); everything else on the line is passed over, and a line without loss
or accuracy says nothing. Steps that begin anew with every epoch are counted on.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from trainhealth.readers.base import DEFAULT_NAMES, Reader
from trainhealth.readers.lines import Line, Lines
from trainhealth.readers.names import Axis, Names
from trainhealth.readers.rows import Rows, as_number
from trainhealth.records import Record, Skipped
from trainhealth.signals import SIGNALS

_NUMBER = r"[-+]?(?:\d[\d_]*\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|NaN|NAN|inf|Inf|infinity|Infinity)"
_WORD = r"[A-Za-z_][\w/@.%-]*"
_PAIR = re.compile(
    rf"(?P<key>{_WORD}(?: {_WORD}){{0,3}})(?P<joint>\s*(?:\([^()]*\))?\s*[:=]\s*|\s+\(?|\s+is\s+)"
    rf"\[?(?P<value>{_NUMBER})(?P<percent>\s?%)?(?:\s*(?:/|of|\]\[)\s*(?P<total>\d+))?(?!\w|:\d)"
)
_BRACKETS = re.compile(r"\[\s*(?P<epoch>\d+)\s*/\s*(?P<epochs>\d+)\s*\]")
_EPOCH_AND_STEP = re.compile(
    r"[Ee]poch:?\s*\[\s*(?P<epoch>\d+)\s*\]\s*\[\s*(?P<step>\d+)\s*(?:/\s*(?P<total>\d+)\s*)?\]"
)
_PROGRESS = re.compile(r"^\s*(?P<step>\d+)/(?P<total>\d+)\s*(?:\[|━|-|\s)")
_SPLIT = re.compile(r"\b(?P<split>val|valid|validation|validating|eval|evaluation|evaluate|dev|test|testing)\b", re.I)
_SPLITS = {"test": "test", "testing": "test"}


class TextReader(Reader):
    """Reads what a training script prints."""

    name = "text"
    sample: ClassVar[tuple[str, bytes]] = (
        "train.log",
        b"2025-06-04 17:36:55,374 - INFO - Using device: cpu\n"
        b"Epoch 1/3, train loss: 2.3012, val loss: 2.2911, val acc: 11.35%\n"
        b"Epoch 2/3, train loss: 1.9022, val loss: 1.8533, val acc: 31.02%\n",
    )

    def __init__(self, names: Names = DEFAULT_NAMES, file: str = "") -> None:
        super().__init__(names, file)
        self._lines = Lines()
        self._rows = Rows(names)
        self._dictionaries = Rows(names, fractions=True)
        self._clock = _Clock()

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise a line with a loss or an accuracy; a log may begin with pages of settings."""
        text = head.decode("utf-8", "replace")
        printable = sum(letter.isprintable() or letter.isspace() for letter in text) >= 0.9 * len(text)
        if not text.strip() or not printable:
            return 0.0
        return 0.3 if any(cls().feed(head + b"\n")) else 0.05

    def feed(self, chunk: bytes) -> list[Record | Skipped]:
        """Return the records of the lines that `chunk` completes."""
        return [record for line in self._lines.feed(chunk) for record in self._line(line)]

    def settle(self) -> list[Record | Skipped]:
        """Return the records of a last line without an end."""
        return [record for line in self._lines.settle() for record in self._line(line)]

    def unfinished(self) -> int:
        """Return the length of the torn last line in bytes."""
        return self._lines.waiting

    def _line(self, line: Line) -> Iterator[Record | Skipped]:
        if line.overwritten:
            return  # a progress bar's state: the last one counts
        text = line.text
        values = _dictionary(text)
        if values is not None:
            if self._row(text, values):
                yield from self._dictionaries.records(values)
            return
        values = self._pairs(text)
        self._clock.read(text, values, self.names)
        row = self._row(text, values)
        if row:
            step, epoch = self._clock.step, self._clock.epoch
            if step is None and epoch is not None:
                row["epoch"] = epoch
            yield from self._rows.records(row, step=step)

    def _pairs(self, text: str) -> dict[str, object]:
        """Return the names on the line that mean something, with their numbers; of two alike the first."""
        found: dict[str, object] = {}
        for match in _PAIR.finditer(text):
            column = self._column(match["key"])
            if column is not None:
                value = f"{match['value']}%" if match["percent"] else match["value"]
                found.setdefault(f"{column} %" if match["percent"] else column, value)
        return found

    def _column(self, key: str) -> str | None:
        """Return the longest end of `key` that means a signal or an axis: the words before it are prose."""
        words = key.split(" ")
        for begin in range(len(words)):
            column = " ".join(words[begin:])
            meaning = self.names.meaning(column)
            if meaning.axis in (Axis.STEP, Axis.EPOCH) or meaning.name in SIGNALS:
                return column
        return None

    def _row(self, text: str, values: Mapping[str, object]) -> dict[str, object]:
        """Return the signals on the line; names without a split get that of the line, where it is no training line."""
        meanings = {column: self.names.meaning(column) for column in values}
        measured = {
            column: m for column, m in meanings.items() if m.axis is None and as_number(values[column]) is not None
        }
        if not any(m.name.endswith(("_loss", "_accuracy")) for m in measured.values()):
            return {}
        split = _SPLIT.search(text)
        others = split is not None and not any(
            m.name.startswith("train_") and "of the" not in m.because for m in measured.values()
        )
        row: dict[str, object] = {}
        for column, meaning in measured.items():
            unsaid = "of the" in meaning.because
            name = (
                f"{_SPLITS.get(split['split'].lower(), 'validation')} {column}"
                if split and others and unsaid
                else column
            )
            row[name] = values[column]
        return row


class _Clock:
    """Where in the run the lines are: the epoch, and the step, counted on where it begins anew with every epoch."""

    def __init__(self) -> None:
        self.epoch: int | None = None
        self.step: int | None = None
        self._offset = 0  # steps of the epochs before
        self._within = -1  # the last step as it was printed
        self._total = 0  # steps an epoch, where printed
        self._at = -1  # the epoch in which the last step was printed

    def read(self, text: str, values: Mapping[str, object], names: Names) -> None:
        """Take the epoch and the step from a line that has them."""
        both = _EPOCH_AND_STEP.search(text)
        if both is not None:
            self._set_epoch(int(both["epoch"]))
            self._set_step(int(both["step"]), int(both["total"] or 0))
            return
        for column, value in values.items():
            axis, number = names.meaning(column).axis, as_number(value)
            if number is None or number != number or abs(number) > 2**53:
                continue
            if axis is Axis.EPOCH and number == int(number):
                self._set_epoch(int(number))
            elif axis is Axis.STEP:
                total = re.search(rf"{re.escape(str(value))}\s*/\s*(\d+)", text)
                self._set_step(int(number), int(total[1]) if total else 0)
        bracket = _BRACKETS.search(text)
        if bracket is not None and not any(names.meaning(column).axis is Axis.EPOCH for column in values):
            self._set_epoch(int(bracket["epoch"]))

    def _set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def _set_step(self, step: int, total: int) -> None:
        if step <= self._within and self.epoch is not None and self._at != -1 and self.epoch > self._at:
            self._offset += max(total, self._within)
        elif step < self._within:
            self._offset = 0  # it begins again: the rows tell whether as another run
        self._within, self._at = step, -1 if self.epoch is None else self.epoch
        self.step = self._offset + step


def _dictionary(text: str) -> dict[str, object] | None:
    """Return the numbers of a JSON object or Python dictionary that ends the line; None where there is none."""
    begin, end = text.find("{"), text.rstrip().endswith("}")
    if begin < 0 or not end:
        return None
    written = text[begin:].rstrip()
    parsed: Any = None
    try:
        parsed = json.loads(written)
    except (ValueError, RecursionError):
        try:
            parsed = ast.literal_eval(re.sub(r"(?<=[:\s])(nan|-?inf)(?=[,}\s])", r"'\1'", written))
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            return None
    if not isinstance(parsed, dict):
        return None
    return {str(key): value for key, value in parsed.items() if isinstance(value, int | float | str)}
