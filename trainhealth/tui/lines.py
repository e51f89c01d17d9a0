"""Lines of styled text: what everything on the screen is made of, and what tests look at.

A span names a *role* ("critical", "label", "train"), not a colour: the theme decides what a role looks like, and a role
is never the only carrier of a meaning.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from rich.cells import cell_len, set_cell_size

ELLIPSIS = "…"


class Span(NamedTuple):
    """A piece of text in one role; the role "" is plain text."""

    text: str
    role: str = ""


Line: TypeAlias = tuple[Span, ...]


def line(*parts: str | Span) -> Line:
    """Return a line; strings are plain text, and empty parts are left out."""
    spans = (Span(part) if isinstance(part, str) else part for part in parts)
    return tuple(Span(printable(span.text), span.role) for span in spans if span.text)


def printable(text: str) -> str:
    """Return `text` without control characters: a log's names must not be able to steer the terminal."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "�" for character in text)


def plain(content: Line) -> str:
    """Return the text of a line."""
    return "".join(span.text for span in content)


def width_of(content: Iterable[Span]) -> int:
    """Return how many cells a line takes."""
    return sum(cell_len(span.text) for span in content)


def clip(content: Line, width: int) -> Line:
    """Return the line, cut to `width` cells; where something was cut off, it ends with an ellipsis."""
    if width_of(content) <= width:
        return content
    kept: list[Span] = []
    room = width - 1
    for span in content:
        size = cell_len(span.text)
        if size > room:
            kept.append(Span(set_cell_size(span.text, max(room, 0)).rstrip() + ELLIPSIS, span.role))
            break
        kept.append(span)
        room -= size
    return tuple(kept)


def spread(left: Line, right: Line, width: int) -> Line:
    """Return `left` and `right` at the two ends of a line; what has no room is cut from the left part.

    Where the right part would take nearly everything, it is left out.
    """
    room = width - width_of(right) - 1
    if not right or (room < width_of(left) and room < width // 3):
        return clip(left, width)
    left = clip(left, room)
    return (*left, Span(" " * (width - width_of(left) - width_of(right))), *right)


def wrap(text: str, width: int) -> list[str]:
    """Return the lines of a paragraph; only a word that is longer than a line is broken."""
    return textwrap.wrap(printable(" ".join(text.split())), max(width, 8), break_on_hyphens=False) or [""]


def paragraph(text: str, width: int, *, first: str | Span = "", indent: int = 0, role: str = "") -> list[Line]:
    """Return wrapped text; `first` stands in the indentation of the first line (a label, a bullet)."""
    label = first if isinstance(first, Span) else Span(first)
    head = Span(label.text + " " * max(indent - cell_len(label.text), 0), label.role)
    return [
        line(head if number == 0 else " " * indent, Span(row, role))
        for number, row in enumerate(wrap(text, width - indent))
    ]


def table(rows: Sequence[Sequence[str | Span]], width: int, right: frozenset[int] = frozenset()) -> list[Line]:
    """Return rows in columns, two blanks apart, those in `right` aligned to the right; clipped to `width`."""
    cells = [[Span(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    sizes = [max(cell_len(cell.text) for cell in column) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        parts: list[str | Span] = []
        for number, (cell, size) in enumerate(zip(row, sizes, strict=True)):
            blank = " " * (size - cell_len(cell.text))
            parts += [blank, cell] if number in right else [cell, blank if number < len(row) - 1 else ""]
            parts.append("  " if number < len(row) - 1 else "")
        lines.append(clip(line(*parts), width))
    return lines
