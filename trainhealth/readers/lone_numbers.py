"""Lines of a text that are a place and a number, and nothing that says loss: ``print(epoch, loss.item())``.

0 3399.724853515625            (99, 646.5)            Epoch 100 error 0.0466            epoch 3: mse 67.4, mae 5.1
50 3270.438720703125           (199, 431.2)           Epoch 200 error 0.0431            epoch 4: mse 61.0, mae 4.9

What they are is decided in ``lone_losses.py``, when it is known that the log has nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from trainhealth.lone_losses import ERRORS, NAMELESS, nameless
from trainhealth.readers.clock import COUNT
from trainhealth.readers.names import Axis, Names
from trainhealth.signals import SIGNALS

_FRACTION = r"[-+]?(?:(?:\d++\.\d*+|\.\d++)(?:e[-+]?\d++)?|\d++e[-+]?\d++|nan|inf)"  # "7" may count anything
_NUMBER = rf"(?:{_FRACTION}|[-+]?\d++)(?![\w.])"
_GAP = r"(?:\s?[:,;|]\s?|\s{1,2})"  # what is longer has been cut
_ROW = re.compile(rf"\s?[(\[]?\s?(?P<place>{COUNT})[)\]]?(?P<cells>(?:{_GAP}{_NUMBER}){{1,7}})\s?[)\]]?\s?", re.I)
_CELL = re.compile(rf"{_GAP}(?P<cell>{_NUMBER})", re.I)
_FRACTIONAL = re.compile(_FRACTION, re.I)
_NAMED = rf"({'|'.join(ERRORS)})\b\s?[:=]?\s?({_FRACTION})(?![\w.%])"
_ERROR = re.compile(_NAMED, re.I)
_LINE = re.compile(
    rf"\W{{0,3}}(?P<axis>epoch|step|iter|iteration)\s?[:#=]?\s?\[?(?P<at>{COUNT})(?:\s?/\s?\d++)?\]?"
    rf"(?:\s?[:,;|-]\s?|\s)\s?(?P<errors>{_NAMED}(?:[\s,;|]{{1,3}}{_NAMED}){{0,2}})\W{{0,3}}",
    re.I,
)
# "epoch :0 --> 504.1" in a file that says what its numbers are
_ALONE = re.compile(
    rf"\W*(?P<axis>epoch|step|iter|iteration)\s?[:#=]?\s?\[?(?P<at>{COUNT})\]?(?:\s*(?:-+>|[:=,;|])\s*|\s+)"
    rf"(?P<number>[-+]?\d*\.\d+(?:e[-+]?\d+)?|nan)\s*",
    re.I,
)
_LONGEST = 160  # letters of such a line
_LEAST = 3  # rows: two say nothing of how they go on
_NO_NAME = re.compile(r"\d|train|start|begin|cuda|gpu|cpu|device", re.I)  # "Start training" is no header
_SPACE = re.compile(r"\s{3,}")


class LoneNumbers:
    """Keeps rows of numbers until it is seen that they count in equal steps from the beginning of a training."""

    def __init__(self, names: Names, file_names: str) -> None:
        """`file_names` is what the file is called after; "" for nothing."""
        self._names = names
        self._file_names = file_names
        self._mapped = any(re.fullmatch(r"column \d", column) for column in names.chosen.values())
        self._above = ""  # the last line that was no row
        self._columns: list[str] = []  # of this count; none where it is none of losses
        self._kept: list[tuple[int, list[str]]] = []  # rows that have not been told yet
        self._count = 0
        self._last = self._stride = 0

    def rows(self, text: str) -> Iterator[tuple[dict[str, object], int | None]]:
        """Yield the rows that a line is, or shows to be some, with their steps where they have no axis."""
        if len(text) > _LONGEST:
            self._above = ""
        elif row := _ROW.fullmatch(text):
            yield from self._counted(int(row["place"]), _CELL.findall(row["cells"]))
        else:
            self._above = text
            if line := _LINE.fullmatch(text):
                yield {line["axis"]: line["at"], **dict(_ERROR.findall(line["errors"]))}, None

    def _counted(self, place: int, cells: list[str]) -> Iterator[tuple[dict[str, object], int | None]]:
        if self._mapped:
            self._columns = [nameless(number + 1) for number in range(len(cells) + 1)]
            yield self._row(place, cells)
            return
        stride = place - self._last
        if not self._count or stride <= 0 or (self._count == 1 and self._last not in (0, 1, stride - 1, stride)):
            self._kept, self._count = [], 0
            self._columns = self._understood(len(cells) + 1)
        elif self._count == 1:
            self._stride = stride
        elif stride != self._stride:
            return  # the last step of all need not be one that is printed
        if len(self._columns) != len(cells) + 1 or not _FRACTIONAL.fullmatch(cells[0]):
            return
        self._last, self._count = place, self._count + 1
        self._kept.append((place, cells))
        if self._count >= _LEAST:
            yield from (self._row(*row) for row in self._kept)
            self._kept = []

    def _understood(self, count: int) -> list[str]:
        """Return what so many columns are called: by the line above them, which may say that there is no loss."""
        header = self._above.split()
        if len(header) != count or _NO_NAME.search(self._above):
            return [nameless(1), self._file_names or NAMELESS] if count == 2 else []
        place, first = (self._names.meaning(word) for word in header[:2])
        return header if place.axis in (Axis.STEP, Axis.EPOCH) and first.name in SIGNALS else []

    def _row(self, place: int, cells: list[str]) -> tuple[dict[str, object], int | None]:
        row: dict[str, object] = dict(zip(self._columns, [str(place), *cells], strict=True))
        if self._names.meaning(self._columns[0]).axis is not None:
            return row, None
        return {column: cell for column, cell in row.items() if column != self._columns[0]}, place


def placed_number(text: str, name: str) -> dict[str, object] | None:
    """Return the number beside a place that a line consists of, by the name that the file gives it; None for others."""
    alone = _ALONE.fullmatch(text)
    return None if alone is None else {alone["axis"]: alone["at"], name: alone["number"]}


def first_row(text: str) -> tuple[int, str] | None:
    """Return the first line that is a row of bare numbers, with its number from 1; None where there is none.

    >>> first_row("seed 0\\n0 0.5 0.4\\n")
    (2, '0 0.5 0.4')
    """
    lines = ((number, _SPACE.sub("  ", line).strip()) for number, line in enumerate(text.splitlines(), start=1))
    return next(((number, line) for number, line in lines if len(line) <= _LONGEST and _ROW.fullmatch(line)), None)
