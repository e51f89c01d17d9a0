"""Tables as text: CSV, TSV and their kin, with a header line. Formats with a table of their own derive from it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import ClassVar

from trainhealth.readers.base import DEFAULT_NAMES
from trainhealth.readers.line_reader import LineReader
from trainhealth.readers.lines import Line, Lines
from trainhealth.readers.names import Axis, Names, of_file
from trainhealth.readers.rows import ABSENT, as_number
from trainhealth.records import Record, Skipped, shown
from trainhealth.signals import SIGNALS

DELIMITERS = ",;\t|"
SUFFIXES = (".csv", ".tsv", ".tab")
_BEGINNING = 16 << 10  # bytes in which the header and a row stand, behind comments


class TableReader(LineReader):
    """Reads any table with a header: CSV, semicolons with decimal commas, tabs.

    Lines that begin with # are comments. A header may come again (a run was started again) or with other columns (some
    loggers write a new one when they learn of a column). A single column is read below the name of a signal, or as the
    user maps it. Without a header columns are called "1", "2" and so on; a single one, or one beside an index, after a
    file that is called after a signal. A file's name tells the split, too ("val_log.csv"), of rows that have a place.
    """

    name = "csv"
    sample: ClassVar[tuple[str, bytes]] = (
        "history.csv",
        b"epoch;loss;val_loss\r\n0;2,31;2,29\r\n1;1,87;1,9\r\n2;1,52;NA\r\n",
    )

    def __init__(self, names: Names = DEFAULT_NAMES, file: str = "") -> None:
        super().__init__(names, file)
        self._delimiter = ","
        self._header: list[str] = []
        self._named = False  # the column is called after the file

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise a header line with a column that means something, and a row of as many cells."""
        lines = _cells_of(head)
        if not lines:
            return 0.0
        header, rows = lines[0], [row for row in lines[1:] if any(row)]  # a row of empty cells tells nothing
        if len(header) == 1:
            return _sureness_of_column(header[0], rows, file_name)
        understood = any(_meant(column) for column in header)
        if all(len(row) == len(header) and _is_numbers(row) for row in lines):
            return 0.2 if rows and _is_named(file_name) else 0.0
        fits = all(len(row) == len(header) for row in rows[:1])
        numbers = any(as_number(cell) is not None for row in rows[:1] for cell in row) or not rows
        if not (fits and numbers) or any(as_number(cell) is not None for cell in header):
            return 0.0
        named = _is_named(file_name)
        return 0.5 if understood and named else 0.4 if understood and rows else 0.2 if named else 0.0

    def row(self, row: dict[str, str]) -> Mapping[str, object]:
        """Return what a row of the table says; formats whose columns need more than a name override it."""
        return row

    def line(self, line: Line) -> Iterator[Record | Skipped]:
        """Return the records of a row; a header is remembered."""
        if not line.text.strip() or line.text.lstrip().startswith("#"):
            return
        if not self._header:
            self._delimiter = _delimiter(line.text)
            self._header = _cells(line.text, self._delimiter)
            if not _is_numbers(self._header):
                return
            self._header = self._numbered(self._header)
        cells = _cells(line.text, self._delimiter)
        if self._begins_anew(cells):
            self._header = cells
            return
        if len(cells) != len(self._header):
            reason = f"{len(cells)} cells, and the header names {len(self._header)}"
            yield Skipped(line.number, reason, shown(line.text.encode()))
            return
        bad = next((c for c in cells if as_number(c) is None and c.lower() not in ABSENT and _torn(c)), None)
        if bad is not None:
            yield Skipped(line.number, f"{bad!r} is no number", shown(line.text.encode()))
            return
        row = {column: cell for column, cell in zip(self._header, cells, strict=True) if column}
        yield from self.rows.records(self.row(row))

    def split_of(self, column: str) -> str:
        """Return the split that the file's name tells, where the table's rows have a place: others may be anything."""
        placed = any(self.names.meaning(name).axis in (Axis.EPOCH, Axis.STEP) for name in self._header)
        return of_file(PurePath(self.file).stem)[0] or super().split_of(column) if placed else super().split_of(column)

    def unit_of(self, column: str) -> str:
        """Say of a column without a header where its name is from."""
        return "called so after the file" if self._named else super().unit_of(column)

    def _numbered(self, first: list[str]) -> list[str]:
        """Return the names of columns without a header, by the cells of the first row."""
        _, name = of_file(PurePath(self.file).stem)
        index = first[:-1] in (["0"], ["1"]) and not first[-1].isdigit()
        self._named = bool(name) and not self.names.chosen and (len(first) == 1 or index)
        if self._named:
            return ["step", name][-len(first) :]
        return [str(number + 1) for number in range(len(first))]

    def _begins_anew(self, cells: list[str]) -> bool:
        """Tell whether a line is a header: names, at least half of them known from the header before."""
        known = sum(cell in self._header for cell in cells if cell)
        return known * 2 >= len(cells) > 1 and all(as_number(cell) is None for cell in cells)


def _sureness_of_column(header: str, rows: list[list[str]], file_name: str) -> float:
    """Return how surely lines with one cell each are a table: below the name of a signal, or nothing but numbers."""
    cells = [cell for row in rows for cell in row]
    if not cells or len(cells) > len(rows) or any(as_number(c) is None and c.lower() not in ABSENT for c in cells):
        return 0.0
    if DEFAULT_NAMES.meaning(header).name in SIGNALS:
        return 0.4
    return 0.2 if as_number(header) is not None or _is_named(file_name) else 0.0


def _is_numbers(cells: list[str]) -> bool:
    return all(as_number(cell) is not None for cell in cells)


def _is_named(file_name: str) -> bool:
    return file_name.lower().endswith(SUFFIXES)


def _torn(cell: str) -> bool:
    """Tell whether a cell was meant to be a number: "0.41.52" of two writers on one line."""
    return cell[:1].isdigit() and cell.count(".") > 1 and not any(letter.isalpha() for letter in cell)


def _meant(column: str) -> bool:
    meaning = DEFAULT_NAMES.meaning(column)
    return meaning.axis is Axis.EPOCH or meaning.axis is Axis.STEP or meaning.name in SIGNALS


def header_of(head: bytes) -> list[str]:
    """Return the names of the columns of a table that begins with `head`; none where it has no header."""
    lines = _cells_of(head)
    return lines[0] if lines and len(lines[0]) > 1 else []


def _cells_of(head: bytes) -> list[list[str]]:
    """Return the cells of the first lines, without comments; the last line only where it is whole."""
    head = head[:_BEGINNING]
    lines = [line.text for line in Lines().feed(head + b"\n" * (b"\n" not in head))]
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not lines or lines[0].lstrip()[:1] in ("{", "["):
        return []  # JSON has commas, too
    delimiter = _delimiter(lines[0])
    return [_cells(line, delimiter) for line in lines]


def _delimiter(header: str) -> str:
    return max(DELIMITERS, key=header.count)


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
    except csv.Error:
        return [cell.strip() for cell in line.split(delimiter)]
