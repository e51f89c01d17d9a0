"""Reads bench logs: the format of a training program that exists in one laboratory only.

    #bench 1 resnet-a
    0 train 2,3026
    1 train 2,2841
    1 valid 2,2911

The first line names the format, its version and the run; each further one has step, split and loss.
"""

from __future__ import annotations

from typing import ClassVar

from trainhealth.readers.line_reader import LineReader
from trainhealth.readers.lines import Line
from trainhealth.readers.rows import LARGEST_STEP, as_number
from trainhealth.records import Record, Skipped, shown

MARK = b"#bench 1"
COLUMNS = {"train": "train_loss", "valid": "validation_loss"}  # their word for a split -> the signal


class BenchLogReader(LineReader):
    """Reads a bench log, one line a value."""

    name = "bench"
    files = ("*.bench",)
    sample: ClassVar[tuple[str, bytes]] = (
        "resnet-a.bench",
        b"#bench 1 resnet-a\n0 train 2,3026\n1 train 2,2841\n1 valid 2,2911\n2 train nan\n",
    )

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise the first line; no other format begins so."""
        return 1.0 if head.startswith(MARK) else 0.0

    def line(self, line: Line) -> list[Record | Skipped]:
        """Return the record of a value, or say that the line is none."""
        if line.text.startswith("#") or not line.text.strip():
            return []
        cells = line.text.split()
        value = as_number(cells[2]) if len(cells) == 3 else None
        step = as_number(cells[0]) if value is not None else None
        if value is None or step is None or not 0 <= step <= LARGEST_STEP or cells[1] not in COLUMNS:
            return [Skipped(line.number, "not step, split and loss", shown(line.text.encode()))]
        return [*self.rows.records({COLUMNS[cells[1]]: value}, step=int(step))]
