"""Lines of a log as they stand in the file, around a step or a word; the file may be of any size, and change meanwhile.

Nothing is mapped into memory: where a mapped file is truncated, whoever reads on is killed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BEFORE, AFTER = 32 << 10, 96 << 10  # bytes that are read around the place
MOST_LINES = 400  # to each side
LONGEST = 2000  # characters of a line that are shown
SEARCHED = 256 << 20  # bytes of a file that a word is looked for in
_CHUNK = 1 << 20
_STEP = re.compile(rb'"step":(\d+)')
_STEP_WITHIN = 256  # bytes from a line's beginning in which its step stands


@dataclass(frozen=True)
class RawLines:
    """Some lines of a log, of which one is the wanted one."""

    lines: tuple[str, ...] = ()
    wanted: int | None = None  # its place among them; None where nothing was found, or nothing asked for
    problem: str = ""  # why there are no lines


def raw_lines(path: Path, wanted: str = "") -> RawLines:
    """Return the lines around the record of a step (`wanted` is a number) or around the first one with those words.

    Without a wish, or where nothing fits it, these are the last lines.
    """
    try:
        with _opened(path) as fd:
            size = os.fstat(fd).st_size
            place = _find(fd, size, wanted.strip()) if wanted.strip() else None
            return _around(fd, size if place is None else place, found=place is not None)
    except OSError as error:
        return RawLines(problem=f"{path}: {error.strerror or error}")


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield fd
    finally:
        os.close(fd)


def _find(fd: int, size: int, wanted: str) -> int | None:
    """Return where the line begins that was asked for."""
    if wanted.isdecimal() and len(wanted) < 16 and _STEP.search(os.pread(fd, _STEP_WITHIN, 0)):
        return _find_step(fd, size, int(wanted))
    return _find_words(fd, wanted.encode())


def _find_step(fd: int, size: int, step: int) -> int | None:
    """Return where the first record at or after a step begins; steps ascend, but where a run was resumed.

    None where all are smaller.
    """
    low, high = 0, size  # offsets: what follows `low` may be smaller, what follows `high` is not, or nothing
    while low < high:
        middle = (low + high) // 2
        record = _record_after(fd, middle)
        if record is None or record[1] >= step:
            high = middle
        else:
            low = middle + 1
    record = _record_after(fd, low)
    return record[0] if record and record[1] >= step else None


def _record_after(fd: int, offset: int) -> tuple[int, int] | None:
    """Return where the first record begins that begins at `offset` or after it, and its step."""
    begin = _line_after(fd, offset - 1) if offset else 0
    while begin is not None and (head := os.pread(fd, _STEP_WITHIN, begin)):
        if named := _STEP.search(head.split(b"\n")[0]):
            return begin, int(named[1])
        begin = _line_after(fd, begin)  # a line that can't be read
    return None


def _line_after(fd: int, offset: int) -> int | None:
    """Return where the first line begins that begins after `offset`."""
    while chunk := os.pread(fd, BEFORE, offset):
        end = chunk.find(b"\n")
        if end >= 0:
            return offset + end + 1
        offset += len(chunk)
    return None


def _find_words(fd: int, words: bytes) -> int | None:
    """Return where the first line with the words begins, upper and lower case alike."""
    words = words.lower()
    offset, before = 0, b""
    while offset < SEARCHED and (chunk := os.pread(fd, _CHUNK, offset)):
        text = before + chunk
        hit = text.lower().find(words)
        if hit >= 0:
            return offset - len(before) + text.rfind(b"\n", 0, hit) + 1
        offset += len(chunk)
        before = text[-_STEP_WITHIN - len(words) :]
    return None


def _around(fd: int, place: int, *, found: bool) -> RawLines:
    """Return the lines around the one that begins at `place`."""
    begin = max(place - BEFORE, 0)
    before = os.pread(fd, place - begin, begin)
    after = os.pread(fd, AFTER, place) if found else b""
    if b"\0" in before + after:
        return RawLines(problem="This log is no text.")
    first = before.split(b"\n")[:-1] if before.endswith(b"\n") else before.split(b"\n")
    if begin and first:
        first = first[1:]  # it begins in the middle
    last = after.split(b"\n")
    if found and len(after) == AFTER and len(last) > 1:
        last.pop()  # it ends in the middle
    kept, following = [line for line in first if line][-MOST_LINES:], [line for line in last if line][: MOST_LINES + 1]
    return RawLines(tuple(map(_shown, (*kept, *following))), len(kept) if found else None)


def _shown(line: bytes) -> str:
    return line[:LONGEST].decode("utf-8", "replace")
