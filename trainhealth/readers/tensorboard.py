"""TensorBoard's event files: records with checksums, each a message that may hold scalars.

Framing: length (u64), its checksum, payload, its checksum. A payload is an `Event` (wall_time 1, step 2, summary 5); a
summary holds values (tag 1, simple_value 2, tensor 8). TensorFlow and Keras write scalars as tensors, torch as simple
values. Source: tensorflow/core/util/event.proto, lib/io/record_writer.cc, framework/{summary,tensor}.proto.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import PurePosixPath
from typing import ClassVar

import numpy as np

from trainhealth.logged_numbers import LATEST, Number, to_number
from trainhealth.readers.base import DEFAULT_NAMES, Reader
from trainhealth.readers.checksums import masked
from trainhealth.readers.names import Names
from trainhealth.readers.protobuf import BYTES, FIXED32, FIXED64, VARINT, fields, signed, varint
from trainhealth.readers.rows import LARGEST_STEP
from trainhealth.records import EvaluationRecord, Record, Skipped

_HEADER = 12  # bytes before a payload: its length and the length's checksum
_DOUBLE, _FLOAT = struct.Struct("<d"), struct.Struct("<f")
_FRAME = _HEADER + 4
LARGEST = 256 << 20  # bytes of one payload; more is no record but a corrupt length
CHECKED = 1024  # bytes of a payload up to which its checksum is looked at: scalars are small, pictures are not read
_TYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}  # of tensors: DataType in framework/types.proto
# an event of one simple value, as torch writes nearly all of its events: wall time, step, tag's length, tag, value
_SIMPLE = re.compile(rb"\x09(.{8})(?:\x10([\x80-\xff]*[\0-\x7f]))?\x2a..??\x0a..??\x0a(.)(.+)\x15(.{4})", re.DOTALL)
_SPLITS = {"validation": "validation", "val": "validation", "valid": "validation", "eval": "validation", "test": "test"}


class TensorBoardReader(Reader):
    """Reads every scalar of an event file; nothing is sampled away."""

    name = "tensorboard"
    files = ("events.out.tfevents.*", *(f"{folder}/events.out.tfevents.*" for folder in ("train", *_SPLITS)))
    sample: ClassVar[tuple[str, bytes]] = (
        "events.out.tfevents.1763712000.host.4711.0",
        bytes.fromhex(
            "1800000000000000a37f4b2209000000000748da411a0d627261696e2e4576656e743a329e684c0a20000000"
            "0000000029eda95009000040000748da4110012a130a110a0a4c6f73732f747261696e15000014403caad7f8"
            "200000000000000029eda95009000080000748da4110022a130a110a0a4c6f73732f747261696e150000c07f"
            "a89dac6f290000000000000037ff5f00090000a0000748da4110022a1c0a1a0a0e65706f63685f6163637572"
            "616379420808012a040000003fc81f2bda"
        ),
    )

    def __init__(self, names: Names = DEFAULT_NAMES, file: str = "") -> None:
        super().__init__(names, file)
        self._rest = b""
        self._number = 0  # of records so far
        self._lost = False  # a length was corrupt: where the next record begins, nobody knows

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise the first record, which names the format's version."""
        if b"brain.Event:" in head[:64]:
            return 1.0
        return 0.9 if ".tfevents." in file_name and not head.strip(b"\0") else 0.3 if ".tfevents." in file_name else 0.0

    def feed(self, chunk: bytes) -> list[Record | Skipped]:
        """Return a record for every scalar of the events that `chunk` completes."""
        if self._lost:
            return []
        data = self._rest + chunk
        bounds = [0]
        found: list[Record | Skipped] = []
        fault = ""
        while len(data) - bounds[-1] >= _HEADER:
            (size,) = struct.unpack_from("<Q", data, bounds[-1])
            if size > LARGEST or not _intact(data[bounds[-1] : bounds[-1] + 8], data[bounds[-1] + 8 : bounds[-1] + 12]):
                fault = "a record's length is corrupt: the rest of the file can't be read"
                break
            if len(data) - bounds[-1] < size + _FRAME:
                break
            bounds.append(bounds[-1] + size + _FRAME)
        payloads = [data[low + _HEADER : high - 4] for low, high in pairwise(bounds)]
        sums = [data[high - 4 : high] for high in bounds[1:]]
        for payload, intact in zip(payloads, _checked(payloads, sums), strict=True):
            self._number += 1
            found += self._event(payload) if intact else [Skipped(self._number, "a record's checksum is wrong")]
        self._rest = data[bounds[-1] :]
        if fault:
            self._lost, self._rest = True, b""
            found.append(Skipped(self._number + 1, fault))
        return found

    def unfinished(self) -> int:
        """Return how many bytes wait for the end of their record."""
        return len(self._rest)

    def split_of(self, column: str) -> str:
        """Keras writes one folder a split: ``train/``, ``validation/``."""
        folder = PurePosixPath(self.file).parent.name.lower()
        return _SPLITS.get(folder, "train")

    def _event(self, payload: bytes) -> list[Record | Skipped]:
        simple = _SIMPLE.fullmatch(payload)
        if simple is not None and simple[3][0] == len(simple[4]):
            at = signed(varint(simple[2], 0)[0]) if simple[2] else 0
            (time,), (scalar,) = _DOUBLE.unpack(simple[1]), _FLOAT.unpack(simple[5])
            return _evaluation(at, time, {simple[4].decode("utf-8", "replace"): to_number(scalar)})
        time = 0.0
        step = 0
        values: dict[str, Number] = {}
        try:
            for number, kind, value in fields(payload):
                if number == 1 and kind == FIXED64 and isinstance(value, bytes):
                    (time,) = _DOUBLE.unpack(value)
                elif number == 2 and isinstance(value, int):
                    step = signed(value)
                elif number == 5 and isinstance(value, bytes):
                    values |= {tag: to_number(scalar) for tag, scalar in _scalars(value)}
        except ValueError as error:
            return [Skipped(self._number, f"a record is no event: {error}")]
        return _evaluation(step, time, values)


def _evaluation(step: int, time: float, values: dict[str, Number]) -> list[Record | Skipped]:
    if not values or not 0 <= step <= LARGEST_STEP:
        return []
    return [EvaluationRecord(step=step, time=time if abs(time) <= LATEST else 0.0, values=values)]


def _scalars(summary: bytes) -> Iterator[tuple[str, float]]:
    """Yield the tags of a summary's scalars and their values."""
    for number, kind, value in fields(summary):
        if number != 1 or kind != BYTES or not isinstance(value, bytes):
            continue
        tag, scalar = "", None
        for part, form, content in fields(value):
            if part == 1 and isinstance(content, bytes):
                tag = content.decode("utf-8", "replace")
            elif part == 2 and form == FIXED32 and isinstance(content, bytes):
                (scalar,) = _FLOAT.unpack(content)
            elif part == 8 and isinstance(content, bytes):
                scalar = _of_tensor(content)
        if tag and scalar is not None:
            yield tag, float(scalar)


def _of_tensor(tensor: bytes) -> float | None:
    """Return the number in a tensor of one element; None where it holds text or more."""
    kind, found = 0, list[float]()
    for number, form, value in fields(tensor):
        if number == 1 and form == VARINT and isinstance(value, int):
            kind = value
        elif number == 4 and isinstance(value, bytes) and kind in _TYPES:  # tensor_content
            found += np.frombuffer(value, _TYPES[kind]).astype(float).tolist()
        elif number in (5, 6) and isinstance(value, bytes):  # float_val, double_val: packed, or a field each
            found += np.frombuffer(value, "<f4" if number == 5 else "<f8").astype(float).tolist()
    return found[0] if len(found) == 1 else None


def _intact(length: bytes, checksum: bytes) -> bool:
    return _stored(length) == int.from_bytes(checksum, "little")


_known: dict[bytes, int] = {}  # checksums of lengths: a file has few different ones


def _stored(length: bytes) -> int:
    if length not in _known:
        if len(_known) > 100_000:
            _known.clear()
        _known[length] = int(masked([length])[0])
    return _known[length]


def _checked(payloads: list[bytes], sums: list[bytes]) -> list[bool]:
    """Tell which payloads have the checksum that stands behind them; long ones are taken for intact."""
    short = [place for place, payload in enumerate(payloads) if len(payload) <= CHECKED]
    intact = [True] * len(payloads)
    if short:
        computed = masked([payloads[place] for place in short])
        stored = np.frombuffer(b"".join([sums[place] for place in short]), "<u4")
        for place, same in zip(short, (computed == stored).tolist(), strict=True):
            intact[place] = same
    return intact
