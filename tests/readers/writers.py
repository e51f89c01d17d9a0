"""Writers of the binary formats, by their framing: what the tools themselves write, without the tools."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence

from trainhealth.readers.base import Reader
from trainhealth.readers.checksums import masked

Scalar = tuple[str, int, float]  # tag, step, value


def _varint(number: int) -> bytes:
    """Return a number as protocol buffers write it; a negative one as its two's complement of 64 bits."""
    number &= (1 << 64) - 1
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _field(number: int, kind: int, content: bytes) -> bytes:
    return _varint(number << 3 | kind) + (_varint(len(content)) if kind == 2 else b"") + content


def frame(payloads: Iterable[bytes]) -> bytes:
    """Return records as an event file holds them: length, its checksum, payload, its checksum."""
    found = bytearray()
    for payload in payloads:
        length = struct.pack("<Q", len(payload))
        sums = masked([length, payload]).astype("<u4").tobytes()
        found += length + sums[:4] + payload + sums[4:]
    return bytes(found)


def event_file(scalars: Sequence[Scalar], *, tensors: bool = False, time: float = 1763712000.0) -> bytes:
    """Return an event file; `tensors`: as TensorFlow and Keras write scalars."""
    payloads = [_field(1, 1, struct.pack("<d", time)) + _field(3, 2, b"brain.Event:2")]
    for tag, step, value in scalars:
        tensor = _field(1, 0, _varint(1)) + _field(4, 2, struct.pack("<f", value))
        number = _field(8, 2, tensor) if tensors else _field(2, 5, struct.pack("<f", value))
        summary = _field(1, 2, _field(1, 2, tag.encode()) + number)
        payloads.append(
            _field(1, 1, struct.pack("<d", time + step)) + _field(2, 0, _varint(step)) + _field(5, 2, summary)
        )
    return frame(payloads)


def wandb_file(rows: Sequence[Mapping[str, object]]) -> bytes:
    """Return the file of a run whose history has these rows, in LevelDB's blocks of 32 KiB."""
    records = []
    for step, row in enumerate(rows):
        items = [
            _field(1, 2, _field(1, 2, key.encode()) + _field(16, 2, json.dumps(value).encode()))
            for key, value in {**row, "_step": step}.items()
        ]
        records.append(_field(2, 2, b"".join(items) + _field(2, 2, _field(1, 0, _varint(step)))))
    found = bytearray(b":W&B" + struct.pack("<HB", 0xBEE1, 0))
    for record in records:
        _append(found, record)
    return bytes(found)


def _append(file: bytearray, record: bytes) -> None:
    first = True
    while True:
        left = 32768 - len(file) % 32768
        if left < 7:
            file += bytes(left)
            left = 32768
        piece, record = record[: left - 7], record[left - 7 :]
        kind = 1 if first and not record else 2 if first else 3 if record else 4
        file += struct.pack("<IHB", zlib.crc32(piece, zlib.crc32(bytes([kind]))), len(piece), kind) + piece
        first = False
        if not record:
            return


def a_log_of(reader: type[Reader]) -> bytes:
    """Return a log of some length: the sample, or more of it where a writer is at hand."""
    if reader.name == "tensorboard":
        return event_file([("train/loss", step, 2.0 / (step + 1)) for step in range(12)])
    if reader.name == "wandb":
        return wandb_file([{"train/loss": 2.0 / (step + 1), "note": "x" * 100} for step in range(12)])
    return reader.sample[1]
