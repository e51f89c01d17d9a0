"""What readers of formats that consist of lines share: cutting the bytes, and rows with a place."""

from __future__ import annotations

from collections.abc import Iterable

from trainhealth.readers.base import DEFAULT_NAMES, Reader
from trainhealth.readers.lines import Line, Lines
from trainhealth.readers.names import Names
from trainhealth.readers.rows import Rows
from trainhealth.records import Record, Skipped


class LineReader(Reader):
    """Reads a format line by line: one that derives from it says how it is recognised, and what a line holds.

    `rows` makes records of the numbers that a line has. This class has no `name` and reads nothing by itself.
    """

    def __init__(self, names: Names = DEFAULT_NAMES, file: str = "") -> None:
        super().__init__(names, file)
        self.rows = Rows(names)
        self._lines = Lines()

    def line(self, line: Line) -> Iterable[Record | Skipped]:
        """Return the records of one line, or a `Skipped` where it can't be read."""
        raise NotImplementedError  # abstract

    def feed(self, chunk: bytes) -> list[Record | Skipped]:
        """Return the records of the lines that `chunk` completes."""
        return [record for line in self._lines.feed(chunk) for record in self.line(line)]

    def settle(self) -> list[Record | Skipped]:
        """Return the records of a last line without its end."""
        return [record for line in self._lines.settle() for record in self.line(line)]

    def unfinished(self) -> int:
        """Return the length of the torn last line in bytes."""
        return self._lines.waiting
