"""Tables among printed text: a line of names, and below it lines with a number for each.

epoch     train_loss  valid_loss  accuracy  time          | Epoch | Training Loss | Validation Loss |
0         1.2345      1.1234      0.5678    00:12         |-------|---------------|-----------------|

Ultralytics' trainers print a row as the text before a progress bar; YOLOv5's and YOLOv7's name a loss by its part:

     Epoch   gpu_mem       box       obj       cls     total    labels  img_size
     3/299       11G   0.05337   0.01787         0   0.07124       157       640: 100%|##########| 38/38 [00:31<00:00]
"""

from __future__ import annotations

import re

from trainhealth.readers.names import Axis, Names
from trainhealth.readers.rows import as_number
from trainhealth.signals import SIGNALS

_CELLS = re.compile(r"\s*\|\s*|\t+| {2,}")
_BAR = re.compile(r":\s+\d{1,3}%.*$")
_OF_ALL = re.compile(r"^(\d+)\s*/\s*\d+$")  # "3/299"
_LONGEST = 400  # letters of a header line


class TextTable:
    """Keeps the header that stands above the lines."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._header: list[str] = []
        self._interrupted = False  # other lines may come between the header and its rows: the bar goes to stderr

    @property
    def open(self) -> bool:
        """Whether the next line may be a row."""
        return bool(self._header)

    def row(self, text: str) -> dict[str, object] | None:
        """Return the numbers of a line by column; {} for a header or a rule below it, None for a line of no table."""
        cells = _cells(text)
        if self._is_header(text, cells):
            self._header = self._named(cells)
            self._interrupted = bool(self._parts(self._header))
            return {}
        if not self._header:
            return None
        if text.strip() and not text.strip("-=+|: \t"):
            return {}
        if len(cells) == len(self._header) and as_number(place := _OF_ALL.sub(r"\1", cells[0])) is not None:
            return dict(zip(self._header, [place, *cells[1:]], strict=True))
        if text.strip() and not self._interrupted:
            self._header = []
        return None

    def _is_header(self, text: str, cells: list[str]) -> bool:
        if not 2 <= len(cells) <= 30 or len(text) > _LONGEST or any(letter.isdigit() for letter in cells[0]):
            return False
        if any(as_number(cell) is not None for cell in cells):
            return False  # "epochs  1 loss: 0.58  val_loss  0.55": names and their numbers
        meanings = [self._names.meaning(cell) for cell in self._named(cells)]
        placed = any(meaning.axis in (Axis.STEP, Axis.EPOCH) for meaning in meanings)
        return placed and (any(meaning.name in SIGNALS for meaning in meanings) or len(self._parts(cells)) > 1)

    def _parts(self, cells: list[str]) -> list[str]:
        """Return the parts of a detector's loss among names."""
        return [part[1] for cell in cells if (part := self._names.part(cell)) is not None]

    def _named(self, cells: list[str]) -> list[str]:
        """Return the names with the word that they leave out: "box", "obj" and "total" are losses."""
        whole = [cell if cell in self._names.chosen.values() else f"{cell}_loss" for cell in cells]
        bare = [part for part, cell in zip(whole, cells, strict=True) if self._names.part(part) and part != cell]
        if self._parts(cells) or len(bare) < 2:
            return cells
        return [loss if loss in bare or cell == "total" else cell for cell, loss in zip(cells, whole, strict=True)]


def _cells(text: str) -> list[str]:
    return [cell.strip() for cell in _CELLS.split(_BAR.sub("", text).strip().strip("|").strip())]
