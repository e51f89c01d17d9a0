"""Which characters a terminal gets."""

from __future__ import annotations

import pytest

from trainhealth.tui.look import Glyphs, Look, choose_look


@pytest.mark.parametrize(
    ("option", "encoding", "environment", "expected"),
    [
        (None, "utf-8", {}, Look(Glyphs.BRAILLE)),
        (None, "UTF8", {"TERM": "xterm"}, Look(Glyphs.BRAILLE)),
        (None, "ascii", {}, Look(Glyphs.ASCII)),
        (None, "iso8859-1", {}, Look(Glyphs.ASCII)),
        (None, "utf-8", {"TERM": "linux"}, Look(Glyphs.ASCII)),
        ("block", "ascii", {}, Look(Glyphs.BLOCK)),
        (None, "utf-8", {"NO_COLOR": "1"}, Look(Glyphs.BRAILLE, colour=False)),
        (None, "utf-8", {"NO_COLOR": ""}, Look(Glyphs.BRAILLE)),
    ],
)
def test_the_look_follows_option_encoding_and_environment(
    option: str | None, encoding: str, environment: dict[str, str], expected: Look
) -> None:
    """An option comes first; without one, what the terminal's encoding can show."""
    assert choose_look(option, encoding, environment) == expected


def test_in_ascii_every_character_keeps_its_width() -> None:
    """Columns stay put, and whatever has no counterpart is a question mark."""
    text = "✖ critical · 1e-3 … 5 ≥ 3 é漢"
    shown = Look(Glyphs.ASCII).text(text)
    assert shown == "x critical - 1e-3 ~ 5 > 3 ??"
    assert len(shown) == len(text)
    assert Look(Glyphs.BRAILLE).text(text) == text
