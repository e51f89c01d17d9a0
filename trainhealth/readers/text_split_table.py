"""Tables among printed text that have a column for each split, and a row for each quantity.

                  Training |  Validation
loss          |     0.510  |     0.543
accuracy      |     0.721  |     0.762

AllenNLP prints one after each epoch, behind the time and the name of its logger.
"""

from __future__ import annotations

import re

from trainhealth.readers.names import Names
from trainhealth.readers.rows import as_number
from trainhealth.signals import SIGNALS

_HEADER = re.compile(
    r"(?:^|[\s|])(?P<first>train(?:ing)?)\s*\|\s*(?P<second>val(?:id|idation)?|dev|test)\s*\|?\s*$", re.I
)
_ROW = re.compile(
    r"(?:^|[\s|])(?P<name>[A-Za-z]\w{0,40})\s*\|\s*(?P<first>[-+\w.%/]{1,25})\s*\|\s*(?P<second>[-+\w.%/]{1,25})\s*\|?\s*$"
)


class SplitTable:
    """Keeps the splits that stand above the lines."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._splits: tuple[str, str] | None = None

    @property
    def open(self) -> bool:
        """Whether the next line may be a row."""
        return self._splits is not None

    def row(self, text: str) -> dict[str, object] | None:
        """Return the signals of a row; {} for the header or a rule below it, None for a line of no such table."""
        if "|" not in text:
            self._splits = None
            return None
        if header := _HEADER.search(text):
            self._splits = header["first"], header["second"]
            return {}
        if self._splits is None:
            return None
        if not text.strip("-=+|: \t"):
            return {}
        row = _ROW.search(text)
        if row is None:
            self._splits = None
            return None
        cells = {
            f"{split} {row['name']}": row[place] for split, place in zip(self._splits, ("first", "second"), strict=True)
        }
        return {
            column: cell
            for column, cell in cells.items()
            if as_number(cell) is not None and self._names.meaning(column).name in SIGNALS
        }
