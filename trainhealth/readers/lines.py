"""Bytes, cut anywhere -> numbered lines of text, as somebody would have seen them on a terminal."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple

LONGEST_LINE = 1 << 20  # bytes; longer is no line of a training log: it is cut there
_KEPT = 4096  # bytes of such a line that are kept

_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_LINE_ENDS = re.compile(rb"\r+\n")
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


class Line(NamedTuple):
    """A line without its end, its number in the file (from 1), and whether the next one overwrites it."""

    number: int
    text: str
    overwritten: bool = False  # a progress bar's state that the next one replaced on the screen


class Lines:
    """Cuts bytes into lines; keeps what is unfinished.

    A lone carriage return ends a line that the next one overwrites (progress bars). Colours and other escape sequences
    are taken out, backspaces applied, NUL bytes (a crash on some file systems) dropped. Text is UTF-8, UTF-16 where a
    byte order mark says so; bytes that are neither become replacement characters.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._cut = False  # the unfinished line is longer than it may be: its end is passed over
        self._number = 1
        self._begin = b""  # of the file, until it is long enough to tell its encoding
        self._decoder: codecs.IncrementalDecoder | None = None  # for anything but UTF-8
        self._told = False  # the encoding is known

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """Yield the lines that `chunk` completes."""
        data = self._rest + self._decoded(chunk)
        whole = len(data.rstrip(b"\r"))  # carriage returns at the end may belong to a line end, "\r\n" or "\r\r\n"
        end = max(data.rfind(b"\n"), data.rfind(b"\r", 0, whole)) + 1
        done, self._rest = data[:end], data[end:]
        yield from self._lines(done)
        if len(self._rest) > LONGEST_LINE:
            if not self._cut:
                yield self._line(self._rest[:_KEPT], overwritten=False)
            self._rest, self._cut = self._rest[-1:], True

    def settle(self) -> Iterator[Line]:
        """Yield the last line, which has no end."""
        rest, self._rest = self._rest.rstrip(b"\r"), b""
        if rest and not self._cut:
            yield self._line(rest, overwritten=False)

    @property
    def waiting(self) -> int:
        """How many bytes wait for the end of their line."""
        return len(self._rest)

    def _lines(self, done: bytes) -> Iterator[Line]:
        for whole in _LINE_ENDS.sub(b"\n", done).splitlines(keepends=True) if done else ():
            overwritten = whole.endswith(b"\r")
            if self._cut:
                self._cut = False  # the end of a line that has been told already
            else:
                yield self._line(whole.rstrip(b"\r\n"), overwritten)
            self._number += not overwritten

    def _line(self, line: bytes, overwritten: bool) -> Line:
        if b"\x1b" in line:
            line = _ESCAPES.sub(b"", line)
        if b"\b" in line:
            line = _erased(line)
        return Line(self._number, line.replace(b"\0", b"").decode("utf-8", "replace"), overwritten)

    def _decoded(self, chunk: bytes) -> bytes:
        """Return the chunk as UTF-8; a byte order mark at the beginning says where it is something else."""
        if not self._told:
            self._begin += chunk
            if len(self._begin) < 3 and any(mark.startswith(self._begin) for mark, _ in _MARKS):
                return b""
            self._told = True
            chunk, self._begin = self._begin, b""
            mark, encoding = next(((m, e) for m, e in _MARKS if chunk.startswith(m)), (b"", "utf-8"))
            chunk = chunk[len(mark) :]
            if encoding != "utf-8":
                self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        return chunk if self._decoder is None else self._decoder.decode(chunk).encode("utf-8", "replace")


def _erased(line: bytes) -> bytes:
    """Return the line after its backspaces: what a progress bar redraws, it has erased before."""
    kept = bytearray()
    for run in re.findall(rb"\x08+|[^\x08]+", line):
        if run.startswith(b"\b"):
            del kept[max(len(kept) - len(run), 0) :]
        else:
            kept += run
    return bytes(kept)
