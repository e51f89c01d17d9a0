"""MLflow's file store: ``mlruns/<experiment>/<run>/metrics/<name>``, a file a metric, a line a value.

A line is the time in milliseconds, the value, the step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from trainhealth.readers.base import DEFAULT_NAMES
from trainhealth.readers.line_reader import LineReader
from trainhealth.readers.lines import Line
from trainhealth.readers.names import Names
from trainhealth.readers.rows import LARGEST_STEP, as_number, seconds_since_1970
from trainhealth.records import Record, Skipped, shown

_LINE = re.compile(r"(?P<time>\d{10,16}) (?P<value>\S+)(?: (?P<step>-?\d{1,18}))?")
_FOLDER = "metrics/"


class MlflowReader(LineReader):
    """Reads one metric of a run."""

    name = "mlflow"
    files = ("metrics/*", "metrics/*/*", "metrics/*/*/*")
    sample: ClassVar[tuple[str, bytes]] = (
        "loss",
        b"1763712000123 2.3125 0\n1763712001456 nan 1\n1763712002789 1.75 2\n",
    )

    def __init__(self, names: Names = DEFAULT_NAMES, file: str = "") -> None:
        super().__init__(names, file)
        self._metric = file.rpartition(_FOLDER)[2] or "loss"

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise a first line of time, value and step."""
        first = head.split(b"\n", 1)[0].decode("utf-8", "replace").strip()
        found = _LINE.fullmatch(first)
        return 0.9 if found is not None and as_number(found["value"]) is not None else 0.0

    def line(self, line: Line) -> Iterator[Record | Skipped]:
        """Return the record of a value."""
        if not line.text.strip():
            return
        found = _LINE.fullmatch(line.text.strip())
        if found is None or as_number(found["value"]) is None:
            yield Skipped(line.number, "not time, value and step", shown(line.text.encode()))
            return
        step = min(max(int(found["step"] or 0), 0), LARGEST_STEP)
        yield from self.rows.records(
            {self._metric: found["value"]}, step=step, time=seconds_since_1970(int(found["time"]))
        )
