"""Our own log: ``events-<rank>.jsonl``, one JSON object a line (``docs/log-format.md``)."""

from __future__ import annotations

from trainhealth.readers.base import Reader
from trainhealth.records import Record, Skipped, decode_lines

LONGEST_LINE = 64 << 20  # bytes; longer is no record of ours but a corrupt file


class TrainHealthReader(Reader):
    """Reads an event file of trainhealth's own."""

    name = "trainhealth"

    def __init__(self) -> None:
        self._pieces: list[bytes] = []  # the unfinished last line
        self._waiting = 0
        self._line = 1
        self._overlong = False

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise the first record; a file that has only begun is recognised by its name."""
        if head.startswith(b'{"kind":"start"'):
            return 1.0
        named = file_name.startswith("events-") and file_name.endswith(".jsonl")
        return 0.9 if named and (not head.strip(b"\0\r\n ") or head.startswith(b'{"kind":')) else 0.4 if named else 0.0

    def feed(self, chunk: bytes) -> list[Record | Skipped]:
        """Return the records of the lines that `chunk` completes."""
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            self._keep(chunk)
            return []
        lines = b"".join((*self._pieces, chunk[:cut]))
        overlong, self._overlong = self._overlong, False
        self._pieces, self._waiting = [], 0
        records: list[Record | Skipped] = []
        if overlong:
            end = lines.find(b"\n") + 1
            text = f"a line of more than {LONGEST_LINE >> 20} MiB"
            records.append(Skipped(self._line, text))
            lines, self._line = lines[end:], self._line + 1
        records += decode_lines(lines, self._line)
        self._line += lines.count(b"\n")
        self._keep(chunk[cut:])
        return records

    def unfinished(self) -> int:
        """Return the length of the torn last line in bytes."""
        return self._waiting

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._waiting += len(piece)
            if self._waiting > LONGEST_LINE:
                self._pieces, self._overlong = [], True
            else:
                self._pieces.append(piece)
