"""Ultralytics' ``results.csv``, and YOLOv5's before it (whose names and numbers are padded with spaces).

Losses are logged in parts, each with its weight: their sum is what was minimised (``loss_parts.py``). What stands below
``metrics/`` was measured on the validation split. Epochs begin at 0 (YOLOv5) or 1.
"""

from __future__ import annotations

from typing import ClassVar

from trainhealth.readers.table import TableReader, header_of


class UltralyticsReader(TableReader):
    """Reads a row an epoch."""

    name = "ultralytics"
    files = ("results.csv",)
    sample: ClassVar[tuple[str, bytes]] = (
        "results.csv",
        b"               epoch,      train/box_loss,      train/cls_loss,metrics/mAP_0.5:0.95,        val/box_loss,"
        b"        val/cls_loss,               x/lr0,               x/lr1\n"
        b"                   0,              0.1246,             0.08283,           0.0017814,             0.12483,"
        b"            0.092301,                 0.1,               0.001\n",
    )

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise the header: parts of losses and rates a parameter group."""
        header = header_of(head)
        rates = any(column.startswith(("lr/pg", "x/lr")) for column in header)
        return 0.9 if rates and any(column.startswith(("train/", "metrics/")) for column in header) else 0.0

    def split_of(self, column: str) -> str:
        """What the trainer measures it measures in validation."""
        return "validation" if column.startswith("metrics/") else "train"
