"""Bytes become the lines that somebody would have seen."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainhealth.readers.lines import LONGEST_LINE, Line, Lines


def lines_of(*chunks: bytes) -> list[Line]:
    """Return all lines of a file that comes in `chunks`."""
    lines = Lines()
    return [line for chunk in chunks for line in lines.feed(chunk)] + list(lines.settle())


def texts(*chunks: bytes) -> list[str]:
    """Return the texts of the lines."""
    return [line.text for line in lines_of(*chunks)]


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        (b"a\nb\r\nc", ["a", "b", "c"]),
        (b"10%\r50%\r100%\nnext\n", ["10%", "50%", "100%", "next"]),
        (b"\x1b[32mloss\x1b[0m: 0.5\n", ["loss: 0.5"]),
        (b"\x1b]0;title\x07loss\n", ["loss"]),
        (b"1/2\b\b\b2/2\n", ["2/2"]),
        (b"loss\0\0\0\n", ["loss"]),
        (b"\xef\xbb\xbfepoch,loss\n", ["epoch,loss"]),
        ("\ufeffepoch 1 \U0001f600\n".encode("utf-16-le"), ["epoch 1 \U0001f600"]),
        (b"caf\xe9\n", ["caf\ufffd"]),
        (b"", []),
        (b"\n\n", ["", ""]),
    ],
)
def test_a_terminal_would_show_the_same(data: bytes, seen: list[str]) -> None:
    """Line ends of all systems, progress bars, colours, backspaces, NUL bytes, byte order marks."""
    assert texts(data) == seen


def test_lines_are_numbered_as_an_editor_numbers_them() -> None:
    """What a carriage return overwrites stands on one line."""
    assert lines_of(b"a\n1\r2\r3\nb\n") == [
        Line(1, "a"),
        Line(2, "1", True),
        Line(2, "2", True),
        Line(2, "3"),
        Line(3, "b"),
    ]


def test_a_line_without_end_is_cut_and_memory_stays_bounded() -> None:
    """A file of 10 MB without a line break gives its beginning, and what follows it is read."""
    lines = Lines()
    seen = [line for _ in range(10) for line in lines.feed(b"x" * LONGEST_LINE)]
    assert lines.waiting <= LONGEST_LINE
    seen += lines.feed(b"\nnext\n")
    assert [(line.number, line.text[:4]) for line in seen] == [(1, "xxxx"), (2, "next")]


_pieces = st.lists(
    st.sampled_from([b"a", b"\r", b"\n", b"\b", b"\x1b[1m", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xe2\x82\xac"])
)


@given(_pieces, st.lists(st.integers(0, 40)))
def test_cuts_change_nothing(pieces: list[bytes], cuts: list[int]) -> None:
    """Any way of cutting the bytes gives the same lines."""
    data = b"".join(pieces)
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    chunks = [data[low:high] for low, high in pairwise(bounds)]
    assert lines_of(*chunks) == lines_of(data)
