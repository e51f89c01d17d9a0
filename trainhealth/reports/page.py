"""Styled, wrapped lines on a stream: colours in a terminal, plain text in a pipe, no trailing blanks anywhere."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TextIO, TypeAlias

from rich.console import Console
from rich.text import Text

from trainhealth.findings import Severity

WIDEST = 100  # columns: longer lines of prose are hard to read

Piece: TypeAlias = str | tuple[str, str]  # text, or text and its style

STYLES = {Severity.CRITICAL: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}
LABEL, STRONG, GOOD = "dim", "bold", "bold green"

# Colour is never the only carrier: every severity has a sign and its word. The second sign is for ASCII terminals.
_SIGNS = {Severity.CRITICAL: ("✖", "x"), Severity.WARNING: ("▲", "!"), Severity.NOTE: ("●", "-"), None: ("✓", "+")}


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let the error through (rich would exit with 1, which means that something was found)."""
        raise  # it is called while the BrokenPipeError is being handled


class Page:
    """A stream to which text for people is written.

    The width is that of the terminal, 80 columns in a pipe (or ``COLUMNS``), and `WIDEST` at most.
    """

    def __init__(self, out: TextIO) -> None:
        self._console = _Console(file=out, highlight=False, markup=False, emoji=False)
        self.width = max(min(self._console.width, WIDEST), 40)
        self.in_terminal = self._console.is_terminal

    def sign(self, severity: Severity | None) -> str:
        """Return the sign of a severity (None: health) in characters that the stream can show."""
        sign, ascii_sign = _SIGNS[severity]
        return sign if self.shows(sign) else ascii_sign

    def shows(self, characters: str) -> bool:
        """Tell whether the stream has these characters."""
        try:
            characters.encode(self._console.encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    def line(self, *pieces: Piece) -> None:
        """Write one line as it is."""
        parts = (("", "") if not piece else (piece, "") if isinstance(piece, str) else piece for piece in pieces)
        text = Text.assemble(*((_printable(string), style) for string, style in parts))
        text.rstrip()
        self._console.print(text, soft_wrap=True)

    def prose(self, text: str, indent: int = 0, style: str = "") -> None:
        """Write a paragraph, wrapped and indented; what can't be broken (a path, a command) sticks out."""
        for line in self.wrap(text, indent):
            self.line(" " * indent, (line, style))

    def labelled(self, label: str, text: str, column: int, *, indent: int = 2, style: str = "") -> None:
        """Write a paragraph that begins at `column`, with `label` before its first line."""
        for line in self.wrap(text, column):
            self.line(" " * indent, (label.ljust(column - indent), LABEL), (line, style))
            label = ""

    def wrap(self, text: str, indent: int) -> list[str]:
        """Return the lines of a paragraph that leave room for `indent`."""
        width = max(self.width - indent, 20)
        text = text.replace(" %", "\N{NO-BREAK SPACE}%")  # 91 % is one word
        lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
        return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]

    def listing(self, rows: Iterable[Sequence[str]], styles: Sequence[str] = ()) -> None:
        """Write rows in columns; the last column is wrapped in a terminal, and whole in a pipe (one row, one line)."""
        table = [list(row) for row in rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)][:-1]
        indent = sum(widths) + 2 * len(widths)
        for *cells, last in table:
            head: list[Piece] = [
                (f"{cell:{width}}  ", style)
                for cell, width, style in zip(cells, widths, (*styles, *[""] * len(widths)), strict=False)
            ]
            first, *others = self.wrap(last, indent) if self.in_terminal else [last]
            self.line(*head, first)
            for line in others:
                self.line(" " * indent, line)


def count(number: int, noun: str) -> str:
    """Return "1 step", "1,200 steps", and nothing for 0.

    >>> count(1, "step"), count(1200, "step"), count(0, "step")
    ('1 step', '1,200 steps', '')
    """
    return f"{number:,} {noun}{'s' if number > 1 else ''}" if number > 0 else ""


def _printable(text: str) -> str:
    """Return `text` without control characters: a log's names must not be able to steer the terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)
