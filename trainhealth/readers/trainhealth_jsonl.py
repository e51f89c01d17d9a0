"""Our own log: ``events-<rank>.jsonl``, one JSON object a line (``docs/log-format.md``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import ClassVar, TypeVar

from trainhealth.readers.base import DEFAULT_NAMES, Reader
from trainhealth.readers.names import Names
from trainhealth.records import Record, Skipped, decode_lines, shown
from trainhealth.step_lines import Portion, decode_portion

Decoded = TypeVar("Decoded", bound=list[Record | Skipped] | Portion)

LONGEST_LINE = 64 << 20  # bytes; longer is no record of ours but a corrupt file
_KEPT = 120  # bytes of an overlong line that are kept to be shown


class TrainHealthReader(Reader):
    """Reads an event file of trainhealth's own."""

    name = "trainhealth"
    foreign = False
    sample: ClassVar[tuple[str, bytes]] = (
        "events-0.jsonl",
        b'{"kind":"start","step":0,"time":1763712000.000,"schema_version":1,"rank":0,"world_size":1,"pid":4711}\n'
        b'{"kind":"step","step":0,"time":1763712000.013,"train_loss":2.31842756,"learning_rate":0.05,"batch_size":64}\n'
        b'{"kind":"step","step":1,"time":1763712000.019,"train_loss":"NaN"}\n'
        b'{"kind":"epoch","step":2,"time":1763712000.020,"epoch":0,"values":{"validation_loss":2.2971184}}\n'
        b'{"kind":"end","step":2,"time":1763712000.021,"reason":"closed"}\n',
    )

    def __init__(self, names: Names = DEFAULT_NAMES, file: str = "") -> None:
        super().__init__(names, file)
        self._pieces: list[bytes] = []  # the unfinished last line
        self._waiting = 0  # its length
        self._line = 1

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise the first record; a file that has only begun, or begins with junk, is recognised by its name."""
        if re.match(rb'\s*{\s*"kind"\s*:\s*"start"', head):
            return 1.0
        named = file_name.startswith("events-") and file_name.endswith(".jsonl")
        return 0.9 if named and (not head.strip(b"\0\r\n ") or head.startswith(b'{"kind":')) else 0.4 if named else 0.0

    def feed(self, chunk: bytes) -> list[Record | Skipped]:
        """Return the records of the lines that `chunk` completes."""
        return [record for records in self._read(chunk, decode_lines) for record in records]

    def portions(self, chunk: bytes) -> list[list[Record | Skipped] | Portion]:
        """Return the same, the steps as columns where there are many."""
        return list(self._read(chunk, decode_portion))

    def unfinished(self) -> int:
        """Return the length of the torn last line in bytes."""
        return self._waiting

    def _read(
        self, chunk: bytes, decode: Callable[[bytes, int], tuple[Decoded, int]]
    ) -> Iterator[Decoded | list[Record | Skipped]]:
        # in a piece of this length only the first line, whose beginning waits, can be too long
        for begin in range(0, len(chunk), LONGEST_LINE):
            yield from self._read_piece(chunk[begin : begin + LONGEST_LINE], decode)

    def _read_piece(
        self, piece: bytes, decode: Callable[[bytes, int], tuple[Decoded, int]]
    ) -> Iterator[Decoded | list[Record | Skipped]]:
        cut = piece.rfind(b"\n") + 1
        if cut:
            end = piece.find(b"\n")
            lines = b"".join((*self._pieces, piece[:cut]))
            if self._waiting + end > LONGEST_LINE:
                reason = f"a line of more than {LONGEST_LINE} bytes"
                yield [Skipped(self._line, reason, shown(lines[:_KEPT]))]
                lines, self._line = piece[end + 1 : cut], self._line + 1
            self._pieces, self._waiting = [], 0
            records, count = decode(lines, self._line)
            self._line += count
            yield records
        self._wait(piece[cut:])

    def _wait(self, piece: bytes) -> None:
        """Keep the beginning of a line until its end comes."""
        self._waiting += len(piece)
        self._pieces.append(piece)
        if self._waiting > LONGEST_LINE:
            self._pieces = [b"".join(self._pieces)[:_KEPT]]
