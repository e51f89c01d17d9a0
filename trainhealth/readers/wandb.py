"""W&B's run files (``run-<id>.wandb``), which runs with and without a connection write.

Framing: a header of 7 bytes, then LevelDB's log: blocks of 32 KiB; a piece is checksum (u32), length (u16), type (1
whole, 2 first, 3 middle, 4 last) and data; what is left of a block and shorter than a piece's head is padding. The
checksum is CRC-32 over type and data. A record is protobuf: history 2 (items 1: key 1, nested key 2, JSON 16; step 2:
number 1).
Source: wandb/sdk/internal/datastore.py and wandb/proto/wandb_internal.proto.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import ClassVar

from trainhealth.readers.base import DEFAULT_NAMES, Reader
from trainhealth.readers.json_document import flat
from trainhealth.readers.names import Names
from trainhealth.readers.protobuf import fields, signed
from trainhealth.readers.rows import Rows, as_number, seconds_since_1970
from trainhealth.records import Record, Skipped

_MAGIC = b":W&B"
_BEGIN = 7  # bytes of the file's header
BLOCK = 32768
_HEAD = struct.Struct("<IHB")
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_HISTORY = 2


class WandbReader(Reader):
    """Reads the history of a run: what was given to `wandb.log`."""

    name = "wandb"
    files = ("run-*.wandb",)
    sample: ClassVar[tuple[str, bytes]] = (
        "run-a1b2c3d4.wandb",
        bytes.fromhex(
            "3a572642e1be00eb79a7f845000112430a13120a747261696e2f6c6f7373820104322e33310a0b12055f7374657082010130"
            "0a1b120a5f74696d657374616d7082010c313736333731323030302e35120208007f4f57cf0a000212430a13120a74726169"
            "38935ed53b00046e2f6c6f7373820104312e38370a0b12055f73746570820101310a1b120a5f74696d657374616d7082010c"
            "313736333731323030312e35120208011700a9ab46000112440a14120a747261696e2f6c6f7373820105224e614e220a0b12"
            "055f73746570820101320a1b120a5f74696d657374616d7082010c313736333731323030322e3512020802"
        ),
    )

    def __init__(self, names: Names = DEFAULT_NAMES, file: str = "") -> None:
        super().__init__(names, file)
        self._rows = Rows(names)
        self._rest = b""
        self._at = 0  # place in the file of the first byte that waits
        self._parts: list[bytes] = []  # of a record that goes over several pieces
        self._number = 0  # of records

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise the header."""
        return 1.0 if head.startswith(_MAGIC) else 0.3 if file_name.endswith(".wandb") else 0.0

    def feed(self, chunk: bytes) -> list[Record | Skipped]:
        """Return the records of the rows of history that `chunk` completes."""
        self._rest += chunk
        return [record for piece in self._pieces() for record in self._piece(*piece)]

    def unfinished(self) -> int:
        """Return how many bytes wait for the end of their record."""
        return len(self._rest) + sum(map(len, self._parts))

    def _pieces(self) -> Iterator[tuple[int, bytes, bool]]:
        """Yield (type, data, intact) of each complete piece."""
        data, at = self._rest, 0
        if self._at == 0 and len(data) >= _BEGIN:
            at = _BEGIN
        while self._at + at:
            left = BLOCK - (self._at + at) % BLOCK
            if left < _HEAD.size:
                if len(data) < at + left:
                    break
                at += left
                continue
            if len(data) < at + _HEAD.size:
                break
            checksum, size, kind = _HEAD.unpack_from(data, at)
            if size > left - _HEAD.size or not _WHOLE <= kind <= _LAST:
                if len(data) < at + left:  # zeros (a crash), or junk: the next block may be whole
                    break
                yield 0, b"", not any(data[at : at + left])
                at += left
                continue
            end = at + _HEAD.size + size
            if len(data) < end:
                break
            content = data[at + _HEAD.size : end]
            yield kind, content, zlib.crc32(content, zlib.crc32(bytes([kind]))) == checksum
            at = end
        self._rest, self._at = data[at:], self._at + at

    def _piece(self, kind: int, data: bytes, intact: bool) -> Iterator[Record | Skipped]:
        if kind in (0, _WHOLE, _FIRST):
            torn, self._parts = bool(self._parts), []
            self._number += torn
            if torn:
                yield Skipped(self._number, "a record without its end")
        if not intact:
            self._number += 1
            self._parts = []
            yield Skipped(self._number, "a record's checksum is wrong")
            return
        if kind in (_MIDDLE, _LAST) and not self._parts:
            return  # its beginning was skipped
        self._parts.append(data)
        if kind in (_WHOLE, _LAST):
            whole, self._parts = b"".join(self._parts), []
            self._number += 1
            yield from self._record(whole)

    def _record(self, record: bytes) -> Iterator[Record | Skipped]:
        try:
            for number, _, value in fields(record):
                if number == _HISTORY and isinstance(value, bytes):
                    row, step = _history(value)
                    time = as_number(row.pop("_timestamp", None)) or 0.0
                    row.pop("_runtime", None)
                    yield from self._rows.records(row, step=step, time=seconds_since_1970(time))
        except (ValueError, RecursionError) as error:
            yield Skipped(self._number, f"no record of W&B: {error}")


def _history(message: bytes) -> tuple[dict[str, object], int | None]:
    """Return a row of history and its step.

    Raises:
        ValueError: it is none.
    """
    row: dict[str, object] = {}
    step: int | None = None
    for number, _, value in fields(message):
        if number == 1 and isinstance(value, bytes):
            key, text = [""], b"null"
            nested: list[str] = []
            for part, _, content in fields(value):
                if part == 1 and isinstance(content, bytes):
                    key = [content.decode("utf-8", "replace")]
                elif part == 2 and isinstance(content, bytes):
                    nested.append(content.decode("utf-8", "replace"))
                elif part == 16 and isinstance(content, bytes):
                    text = content
            row |= flat({"/".join(nested or key): json.loads(text.decode("utf-8", "replace"))})
        elif number == 2 and isinstance(value, bytes):
            step = next((signed(n) for part, _, n in fields(value) if part == 1 and isinstance(n, int)), 0)
    return row, step
