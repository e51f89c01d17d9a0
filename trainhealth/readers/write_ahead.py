"""SQLite's write-ahead log: what is committed and stands not yet in the database that it lies beside.

Both files are taken as bytes. SQLite itself would make a file beside them (``-shm``) even where it only reads, and
could not read in a folder that may not be written.
Source: sqlite.org/fileformat2.html, sections 1.3 (the database's header) and 4 (the log).
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

MAGIC = b"SQLite format 3\0"
_HEADER = struct.Struct(">IIIIIIII")  # magic, version, size of pages, checkpoint, two salts, two checksums
_FRAME = struct.Struct(">IIIIII")  # page, pages after the commit (0: no commit), two salts, two checksums
_BIG_ENDIAN = 0x377F0683  # the magic of logs whose checksums are taken over big-endian words; one less: little-endian
_MASK = 0xFFFFFFFF
_PORTION = 1024  # frames whose checksums are computed at once


def with_log(database: bytes, log: bytes) -> bytes:
    """Return the database as it is after the last transaction that the log holds whole; as it was where it has none."""
    if not database.startswith(MAGIC) or len(log) < _HEADER.size:
        return database
    magic, _, size, *rest = _HEADER.unpack_from(log)
    page_size = int.from_bytes(database[16:18], "big")
    if magic | 1 != _BIG_ENDIAN or size != (65536 if page_size == 1 else page_size) or not 512 <= size <= 65536:
        return database
    salts = (rest[1], rest[2])
    pages: dict[int, memoryview] = {}
    uncommitted: dict[int, memoryview] = {}
    count = 0
    for page, pages_after, content in _frames(log, size, salts, "big" if magic == _BIG_ENDIAN else "little"):
        uncommitted[page] = content
        if pages_after:
            pages |= uncommitted
            uncommitted, count = {}, pages_after
    if not pages:
        return database
    image = bytearray(database[: count * size].ljust(count * size, b"\0"))
    for page, content in pages.items():
        if 1 <= page <= count:
            image[(page - 1) * size : page * size] = content
    return bytes(image)


def opened(database: bytes) -> sqlite3.Connection:
    """Return a connection to a copy of the database in memory.

    Raises:
        sqlite3.Error: it is none.
    """
    connection = sqlite3.connect(":memory:")
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    image = bytearray(database)
    if image[18:20] == b"\x02\x02":  # it has a write-ahead log, which a database in memory can't have
        image[18:20] = b"\x01\x01"
    try:
        connection.deserialize(bytes(image))
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _frames(
    log: bytes, page_size: int, salts: tuple[int, int], byteorder: str
) -> Iterator[tuple[int, int, memoryview]]:
    """Yield (page, pages after the commit, content) of the frames up to the first one that is not whole or not new.

    SQLite writes the log from its beginning again when all of it has been moved: behind the new frames old ones stand,
    which have other salts; a frame that is just being written has another checksum.
    """
    seed = _checksums(np.frombuffer(log, np.uint8, 24)[None], byteorder)[0]
    state = (int(seed[0]), int(seed[1]))
    if state != _HEADER.unpack_from(log)[6:]:
        return
    length = _FRAME.size + page_size
    places = range(_HEADER.size, len(log) - length + 1, length)
    matrix = _advance(page_size // 8 + 1)
    for begin in range(0, len(places), _PORTION):
        some = places[begin : begin + _PORTION]
        frames = np.frombuffer(log, np.uint8, length * len(some), some[0]).reshape(len(some), length)
        sums = _checksums(np.concatenate([frames[:, :8], frames[:, _FRAME.size :]], axis=1), byteorder)
        for place, (first, second) in zip(some, sums.tolist(), strict=True):
            page, pages_after, *told = _FRAME.unpack_from(log, place)
            state = (
                (matrix[0] * state[0] + matrix[1] * state[1] + first) & _MASK,
                (matrix[1] * state[0] + matrix[2] * state[1] + second) & _MASK,
            )
            if tuple(told) != (*salts, *state):
                return
            yield page, pages_after, memoryview(log)[place + _FRAME.size : place + length]


def _checksums(rows: NDArray[np.uint8], byteorder: str) -> NDArray[np.uint32]:
    """Return the two checksums of each row of bytes, begun at zero, uint32 [rows, 2].

    Of words x0, y0, x1, y1, … the sums are s += x + t, t += y + s, pair by pair: linear, so that each word counts as
    often as a Fibonacci number says, by its distance from the end.
    """
    words = np.ascontiguousarray(rows).view(">u4" if byteorder == "big" else "<u4").astype(np.uint32)
    pairs = words.shape[1] // 2
    numbers = np.array(_fibonacci(2 * pairs + 1), np.uint32)
    even, odd, next_even = numbers[0:-1:2][::-1], numbers[1::2][::-1], numbers[2::2][::-1]
    x, y = words[:, 0::2], words[:, 1::2]
    first = (x * odd + y * even).sum(axis=1, dtype=np.uint32)
    second = (x * next_even + y * odd).sum(axis=1, dtype=np.uint32)
    return np.stack([first, second], axis=1)


def _advance(pairs: int) -> tuple[int, int, int]:
    """Return by what the sums before count after so many pairs of words: [[a, b], [b, c]]."""
    numbers = _fibonacci(2 * pairs + 2)
    return numbers[2 * pairs - 1], numbers[2 * pairs], numbers[2 * pairs + 1]


def _fibonacci(count: int) -> list[int]:
    numbers = [0, 1]
    while len(numbers) < count:
        numbers.append((numbers[-1] + numbers[-2]) & _MASK)
    return numbers
