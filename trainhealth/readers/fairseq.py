"""fairseq's log: ``<time> | INFO | train_inner | {…}``, or the same numbers as ``name value`` between bars.

Numbers are strings, and training's, validation's and test's names have the split before them. Losses are in bits:
fairseq divides them by ln 2 before it logs them (fairseq/criterions/cross_entropy.py, reduce_metrics).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import ClassVar

from trainhealth.readers.json_lines import number_in
from trainhealth.readers.text import TextReader
from trainhealth.records import Record, Skipped

_LINE = re.compile(rb"\| (?:train|train_inner|valid|fairseq[\w.]*) \|")
_PLACES = ("epoch", "update", "num_updates")


class FairseqReader(TextReader):
    """Reads both forms of the log onto the axis of updates."""

    name = "fairseq"
    sample: ClassVar[tuple[str, bytes]] = (
        "train.log",
        b'2021-03-08 12:31:36 | INFO | train_inner | {"epoch": 1, "update": 0.5, "loss": "16.475", "ppl": "91120.8", '
        b'"num_updates": "5", "lr": "2e-05", "gnorm": "20.751"}\n'
        b'2021-03-08 12:33:10 | INFO | valid | {"epoch": 1, "valid_loss": "15.953", "valid_num_updates": "10"}\n'
        b"2021-03-08 12:34:12 | INFO | train | epoch 002 | loss 14.313 | num_updates 20 | lr 4e-05 | gnorm 9.1\n",
    )

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise the names of its loggers between bars, beside the counter of updates."""
        return 0.9 if _LINE.search(head) and (b"num_updates" in head or b"| fairseq" in head) else 0.0

    def dictionary(self, text: str, values: dict[str, object]) -> Iterator[Record | Skipped]:
        """Yield the records of a row at the update that it names, be its name's split before it or not."""
        steps = (number_in(values, f"{split}num_updates") for split in ("", "train_", "valid_", "test_"))
        step = next((step for step in steps if step is not None), None)
        places = {f"{split}{name}" for split in ("", "train_", "valid_", "test_") for name in _PLACES}
        row = {name: value for name, value in values.items() if name not in places}
        yield from self.rows.records(row, step=self._clock.step if step is None else step)

    def unit_of(self, column: str) -> str:
        """Losses are in bits."""
        return f"in bits: times {math.log(2):.3f} it is in nats" if column.endswith("loss") else ""
