"""JSON lines: an object a line, a row each. Formats of this form derive from it.

LLaMA-Factory's ``trainer_log.jsonl``, and what many scripts write themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

from trainhealth.readers.base import DEFAULT_NAMES
from trainhealth.readers.json_document import flat
from trainhealth.readers.line_reader import LineReader
from trainhealth.readers.lines import Line, Lines
from trainhealth.readers.names import Axis
from trainhealth.readers.rows import as_number
from trainhealth.records import Record, Skipped, shown
from trainhealth.signals import SIGNALS

_LOOKED_AT = 50  # objects by which a format is recognised


class JsonLinesReader(LineReader):
    """Reads any file of JSON objects, one a line; nested ones become columns "outer/inner"."""

    name = "jsonl"
    files: ClassVar[tuple[str, ...]] = ("trainer_log.jsonl", "metrics.jsonl", "log.jsonl")
    sample: ClassVar[tuple[str, bytes]] = (
        "trainer_log.jsonl",
        b'{"current_steps": 10, "total_steps": 300, "loss": 2.219, "lr": 9.9e-05, "epoch": 0.1, "percentage": 3.33}\n'
        b'{"current_steps": 20, "total_steps": 300, "eval_loss": 2.105, "epoch": 0.2, "percentage": 6.67}\n'
        b'{"current_steps": 20, "total_steps": 300, "loss": NaN, "lr": 9.8e-05, "epoch": 0.2, "percentage": 6.67}\n'
        b'{"current_steps": 300, "total_steps": 300, "epoch": 3.0, "percentage": 100.0}\n',
    )

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise whole lines that are objects; surer where one of them holds a number with a known name."""
        rows = objects(head)
        if not rows or any(_holds_a_history(value) for row in rows for value in row.values()):
            return 0.0
        columns = {column for row in rows for column in flat(row)}
        meanings = [DEFAULT_NAMES.meaning(column) for column in columns]
        known = any(m.axis in (Axis.STEP, Axis.EPOCH) or m.name in SIGNALS for m in meanings)
        named = file_name.lower().endswith((".json", ".jsonl", ".ndjson"))
        return 0.6 if known else 0.4 if named and columns else 0.1

    def row(self, row: dict[str, object]) -> Iterator[Record]:
        """Yield the records of a row; formats whose rows stand elsewhere than they say override it."""
        yield from self.rows.records(row)

    def line(self, line: Line) -> Iterator[Record | Skipped]:
        """Return the records of an object, or say why there is none."""
        if not line.text.strip():
            return
        try:
            parsed: Any = json.loads(line.text)
        except (ValueError, RecursionError) as error:
            yield Skipped(line.number, f"no JSON object: {error}", shown(line.text.encode()))
            return
        if not isinstance(parsed, dict):
            yield Skipped(line.number, "no JSON object, but another value", shown(line.text.encode()))
            return
        yield from self.row(flat(parsed))


def _holds_a_history(value: object) -> bool:
    """Tell whether a value is a column of a whole history: then the object is no row, but a document."""
    return isinstance(value, list) or (
        isinstance(value, dict) and bool(value) and all(key.isdecimal() for key in value)
    )


def objects(head: bytes) -> list[dict[str, Any]]:
    """Return the objects of the whole lines at a file's beginning; none where the first line is something else."""
    found: list[dict[str, Any]] = []
    for line in Lines().feed(head + b"\n" * (b"\n" not in head)):
        if len(found) == _LOOKED_AT:
            break
        if not line.text.strip():
            continue
        try:
            parsed: Any = json.loads(line.text)
        except (ValueError, RecursionError):
            return found
        if not isinstance(parsed, dict):
            return found
        found.append(parsed)
    return found


def number_in(row: dict[str, object], column: str) -> int | None:
    """Return a whole number from a row; None where it holds none."""
    number = as_number(row.get(column))
    return int(number) if number is not None and 0 <= number <= 2**53 else None
