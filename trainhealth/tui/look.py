"""How the terminal is drawn on: which characters it can show, and whether it may have colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

GLYPHS_VARIABLE = "TRAINHEALTH_GLYPHS"

# Every other character of ours, and those that messages like to use, with one ASCII character each: columns stay put.
_ASCII = str.maketrans(
    {
        "✖": "x", "▲": "!", "●": "*", "✓": "+", "◌": "?", "▶": ">", "≠": "!", "◆": "o", "■": "#",
        "‖": "=", "└": "`", "▎": ">", "…": "~",
        "─": "-", "━": "=", "│": "|", "┤": "|", "┬": "+", "┴": "+", "┄": "-", "┊": ":", "↑": "^", "↓": "v", "→": ">",
        "·": "-", "–": "-", "—": "-", "×": "x", "±": "~", "≥": ">", "≤": "<", "≈": "~", "µ": "u", "√": "v", "∞": "8",
        "‘": "'", "’": "'", "“": '"', "”": '"', "\N{NO-BREAK SPACE}": " ", "▸": ">", "▾": "v",
        "↘": "\\",
    }
)  # fmt: skip


class Glyphs(StrEnum):
    """What charts are drawn with."""

    BRAILLE = "braille"  # 2 x 4 dots a cell
    BLOCK = "block"  # 2 x 2 blocks a cell, for fonts without braille
    ASCII = "ascii"  # one character a cell, and no other character anywhere


@dataclass(frozen=True)
class Look:
    """The glyphs to draw with, and whether colours may carry anything at all."""

    glyphs: Glyphs = Glyphs.BRAILLE
    colour: bool = True

    def text(self, text: str) -> str:
        """Return `text` in characters that the terminal can show, one for one."""
        if self.glyphs is not Glyphs.ASCII or text.isascii():
            return text
        return text.translate(_ASCII).encode("ascii", "replace").decode()


def choose_look(glyphs: str | None, encoding: str, environment: Mapping[str, str]) -> Look:
    """Return the look for a terminal of this encoding; `glyphs` (an option of the user's) comes first.

    ``NO_COLOR`` counts where it is set and not empty (no-color.org). The Linux console's font has neither braille nor
    most block characters.
    """
    colour = not environment.get("NO_COLOR")
    if glyphs is not None:
        return Look(Glyphs(glyphs), colour)
    unicode = encoding.lower().replace("-", "").startswith("utf") and environment.get("TERM") != "linux"
    return Look(Glyphs.BRAILLE if unicode else Glyphs.ASCII, colour)
