"""What darknet prints while it trains a detector: a line an iteration, with the numbers before their names.

The lines of its YOLO layers, several a batch, are of single layers and single images: they are passed over, and so is
`avg`, the loss's running mean. Source: darknet, `train_detector`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from trainhealth.readers.line_reader import LineReader
from trainhealth.readers.lines import Line, Lines
from trainhealth.records import Record

_NUMBER = r"-?(?:\d{1,20}(?:\.\d{1,20})?|nan|inf)"
_ITERATION = re.compile(
    rf"^\s*(?P<step>\d{{1,15}}): (?P<loss>{_NUMBER}), {_NUMBER} avg(?: loss)?, (?P<lr>{_NUMBER}) rate,"
)
_BEFORE = re.compile(r"^\s*layer\s+filters\s+size|\bRegion \d+ Avg\b")  # the net's table, and what its YOLO layers say


class DarknetReader(LineReader):
    """Reads loss and rate of the iterations."""

    name = "darknet"
    sample: ClassVar[tuple[str, bytes]] = (
        "train_yolo.log",
        b"Region 82 Avg IOU: 0.31, Class: 0.42, Obj: 0.51, No Obj: 0.49, .5R: 0.2, .75R: 0.0,  count: 5\n"
        b" 1: 880.412, 880.412 avg loss, 0.000000 rate, 5.712345 seconds, 64 images, -1.000000 hours left\n"
        b" 2: 879.033, 880.274 avg loss, 0.000100 rate, 5.590121 seconds, 128 images, 31.410000 hours left\n"
        b" 3: -nan, -nan avg loss, 0.000100 rate, 5.580121 seconds, 192 images, 31.220000 hours left\n",
    )

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise a line of an iteration, or of what stands before the first."""
        lines = Lines()
        texts = [line.text for line in [*lines.feed(head), *lines.settle()]]
        return 0.9 if any(_ITERATION.match(text) or _BEFORE.search(text) for text in texts) else 0.0

    def line(self, line: Line) -> Iterator[Record]:
        """Return the record of an iteration; other lines say nothing."""
        found = _ITERATION.match(line.text)
        if found is None:
            return
        row: dict[str, object] = {"loss": found["loss"].replace("-nan", "nan")}
        if found["lr"].strip("0."):
            row["lr"] = found["lr"]  # six decimals: a small one is printed as zero
        yield from self.rows.records(row, step=int(found["step"]))
