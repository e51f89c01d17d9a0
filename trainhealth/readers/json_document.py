"""One JSON document that holds the whole history: a list of rows, or a list of values a column.

Hugging Face's ``trainer_state.json`` (`log_history`), Keras's and other people's ``history.json``, skorch's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from trainhealth.readers.base import DEFAULT_NAMES, Reader
from trainhealth.readers.names import Names
from trainhealth.readers.rows import Rows
from trainhealth.records import Record, Skipped, shown
from trainhealth.signals import SIGNALS

LARGEST = 512 << 20  # bytes of a document: beyond that it is not read
_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}"]', re.DOTALL)
_DEEPEST = 20  # levels of objects in objects
_HISTORIES = ("log_history", "history", "logs", "metrics", "epochs")  # keys below which the rows may lie


class JsonDocumentReader(Reader):
    """Reads a document when its last bracket has come: it is written as a whole, again and again."""

    name = "json"
    replaced = True
    files = ("trainer_state.json", "checkpoint-*/trainer_state.json")
    beside = ("runs/*/events.out.tfevents.*",)  # the Trainer's; elsewhere each folder below runs/ is a run
    sample: ClassVar[tuple[str, bytes]] = (
        "trainer_state.json",
        b'{"best_metric": null, "epoch": 2.0, "global_step": 20, "log_history": [\n'
        b' {"epoch": 0.5, "grad_norm": 1.2, "learning_rate": 5e-05, "loss": 2.31, "step": 5},\n'
        b' {"epoch": 1.0, "eval_loss": 2.02, "eval_runtime": 0.5, "step": 10},\n'
        b' {"epoch": 1.5, "grad_norm": NaN, "learning_rate": 2e-05, "loss": 1.8, "step": 15}\n'
        b"]}\n",
    )

    def __init__(self, names: Names = DEFAULT_NAMES, file: str = "") -> None:
        super().__init__(names, file)
        self._pieces: list[bytes] = []
        self._size = 0
        self._depth = Depth()

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise the beginning of a document that is no single line of a file of JSON lines."""
        text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
        if not re.match(rb'\{\s*"|\[\s*\{', text):
            return 0.0
        if b'"log_history"' in head or file_name == "trainer_state.json":
            return 1.0
        line = text.split(b"\n", 1)[0].strip()
        if Depth().feed(line) == len(line) != len(text.strip()):
            return 0.0  # the first line is a whole object, and others follow
        return 0.5 if file_name.endswith(".json") else 0.2

    def feed(self, chunk: bytes) -> list[Record | Skipped]:
        """Return the records of the document when `chunk` completes it."""
        if self._size > LARGEST:
            return []
        records: list[Record | Skipped] = []
        while chunk:
            end = self._depth.feed(chunk)
            self._pieces.append(chunk[:end])
            self._size += len(chunk[:end])
            if self._size > LARGEST:
                self._pieces = []
                return [*records, Skipped(1, f"a document of more than {LARGEST >> 20} MiB")]
            if end is None:
                break
            records += self._parsed()
            chunk, self._depth, self._size = chunk[end:], Depth(), 0
        return records

    def settle(self) -> list[Record | Skipped]:
        """Say that a document was cut short."""
        return self._parsed() if self._pieces else []

    def unfinished(self) -> int:
        """Return how many bytes wait for the last bracket."""
        return sum(len(piece) for piece in self._pieces if piece.strip())

    def _parsed(self) -> list[Record | Skipped]:
        data, self._pieces = b"".join(self._pieces), []
        if not data.strip():
            return []
        rows = Rows(self.names)
        try:
            document = json.loads(data.decode("utf-8-sig", "replace"))
            found = [record for row in rows_of(document) for record in rows.records(row)]
        except (ValueError, RecursionError) as error:
            return [Skipped(1, f"no JSON document: {error}", shown(data[:120]))]
        return list(found) or [Skipped(1, "the document holds no rows of numbers", shown(data[:120]))]


class Depth:
    """Follows brackets outside of strings, so that a document's end is known without parsing it each time."""

    def __init__(self) -> None:
        self._open = 0
        self._rest = b""  # a string that has not ended

    def feed(self, chunk: bytes) -> int | None:
        """Return the place in `chunk` behind the bracket that closes the first one; None where it has not come."""
        before = len(self._rest)
        data, self._rest = self._rest + chunk, b""
        for match in _MARKS.finditer(data):
            mark = match[0]
            if mark == b'"':
                self._rest = data[match.start() :]
                break
            if mark in b"[{":
                self._open += 1
            elif mark in b"]}" and self._open:
                self._open -= 1
                if not self._open:
                    return match.end() - before
        return None


def rows_of(document: Any) -> Iterator[Mapping[str, object]]:
    """Yield the rows of a document; inner objects become columns "outer/inner", inner lists are left out."""
    if isinstance(document, dict):
        for key in _HISTORIES:
            if isinstance(document.get(key), list | dict):
                yield from rows_of(document[key])
                return
        columns = {str(name): values for name, values in document.items() if isinstance(values, list)}
        if columns:
            rows = {name for name in columns if DEFAULT_NAMES.meaning(f"{name}/loss").name in SIGNALS}  # "train", "val"
            for at in range(max(map(len, columns.values()))):
                row = {name: values[at] for name, values in columns.items() if at < len(values)}
                yield flat({c: v for c, v in row.items() if c in rows or not isinstance(v, dict)})
        else:
            yield from _columns_of_mappings(document)
    elif isinstance(document, list):
        yield from (flat(row) for row in document if isinstance(row, dict))


def _columns_of_mappings(document: Mapping[str, Any]) -> Iterator[Mapping[str, object]]:
    """Yield the rows of ``{"loss": {"0": 2.3, "1": 1.9}}``, as pandas writes a frame."""
    columns = {name: values for name, values in document.items() if isinstance(values, dict)}
    for at in dict.fromkeys(at for values in columns.values() for at in values):
        yield {str(name): values[at] for name, values in columns.items() if at in values}


def flat(row: Mapping[str, Any], prefix: str = "", levels: int = _DEEPEST) -> dict[str, object]:
    """Return a row without nesting; what lies deeper than so many levels is left out.

    >>> flat({"train": {"loss": 0.5}, "batches": [1, 2]})
    {'train/loss': 0.5}
    """
    found: dict[str, object] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}/", levels - 1) if levels else {}
        elif not isinstance(value, list):
            found[f"{prefix}{name}"] = value
    return found
