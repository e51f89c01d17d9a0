"""Tables among printed text: a line of names, and below it lines with a number for each.

epoch     train_loss  valid_loss  accuracy  time          | Epoch | Training Loss | Validation Loss |
0         1.2345      1.1234      0.5678    00:12         |-------|---------------|-----------------|
"""

from __future__ import annotations

import re

from trainhealth.readers.names import Axis, Names
from trainhealth.readers.rows import as_number
from trainhealth.signals import SIGNALS

_CELLS = re.compile(r"\s*\|\s*|\t+| {2,}")
_LONGEST = 400  # letters of a header line


class TextTable:
    """Keeps the header that stands above the lines."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._header: list[str] = []

    @property
    def open(self) -> bool:
        """Whether the next line may be a row."""
        return bool(self._header)

    def row(self, text: str) -> dict[str, object] | None:
        """Return the numbers of a line by column; {} for a header or a rule below it, None for a line of no table."""
        cells = _cells(text)
        if self._is_header(text, cells):
            self._header = cells
            return {}
        if not self._header:
            return None
        if text.strip() and not text.strip("-=+|: \t"):
            return {}
        if len(cells) == len(self._header) and as_number(cells[0]) is not None:
            return dict(zip(self._header, cells, strict=True))
        if text.strip():
            self._header = []
        return None

    def _is_header(self, text: str, cells: list[str]) -> bool:
        if not 2 <= len(cells) <= 30 or len(text) > _LONGEST or any(letter.isdigit() for letter in cells[0]):
            return False
        meanings = [self._names.meaning(cell) for cell in cells]
        placed = any(meaning.axis in (Axis.STEP, Axis.EPOCH) for meaning in meanings)
        return placed and any(meaning.name in SIGNALS for meaning in meanings)


def _cells(text: str) -> list[str]:
    return [cell.strip() for cell in _CELLS.split(text.strip().strip("|").strip())]
