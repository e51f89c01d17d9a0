"""detectron2's ``metrics.json``: JSON lines; every start of a training appends to the file.

Losses are medians over 20 iterations. Source: detectron2/utils/events.py, JSONWriter.
"""

from __future__ import annotations

from typing import ClassVar

from trainhealth.readers.base import DEFAULT_NAMES
from trainhealth.readers.json_lines import JsonLinesReader, objects
from trainhealth.readers.names import Names
from trainhealth.readers.rows import Rows


class Detectron2Reader(JsonLinesReader):
    """Reads the newest training of the file: an iteration that does not grow belongs to another one."""

    name = "detectron2"
    files = ("metrics.json",)
    sample: ClassVar[tuple[str, bytes]] = (
        "metrics.json",
        b'{"data_time": 0.004, "eta_seconds": 99.8, "iteration": 19, "loss_box_reg": 0.6, "loss_cls": 0.7, '
        b'"lr": 2e-05, "rank_data_time": 0.004, "time": 0.33, "total_loss": 2.17}\n'
        b'{"bbox/AP": NaN, "data_time": 0.004, "iteration": 39, "lr": 4e-05, "total_loss": 1.88}\n'
        b'{"iteration": 40}\n',
    )

    def __init__(self, names: Names = DEFAULT_NAMES, file: str = "") -> None:
        super().__init__(names, file)
        self.rows = Rows(names, once=True)

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise a row with what its trainer always logs."""
        rows = objects(head)
        return 0.9 if any("iteration" in row and {"total_loss", "data_time"} & row.keys() for row in rows) else 0.0
