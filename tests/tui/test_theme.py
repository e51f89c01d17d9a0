"""The themes: what must be read can be read, by whatever eyes."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from textual.color import Color
from textual.theme import Theme

from tests.tui.cases import snapshot
from tests.tui.screen import dashboard, opened, said, screen_text
from trainhealth.series import FloatArray
from trainhealth.tui.theme import STRENGTHS, THEMES, theme_after

OURS = {theme.name: theme for theme in THEMES}
SEVERITIES = ("error", "warning", "primary", "success")
CURVES = ("accent", "secondary")

# What dichromats see, in linear RGB: Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of
# Color Vision Deficiency", 2009, at full severity.
SEEN = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(color: Color) -> FloatArray:
    """Return the linear RGB of a colour."""
    encoded = np.array(color.rgb) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def contrast(one: Color, two: Color) -> float:
    """Return the contrast of WCAG 2: from 1 (none) to 21."""
    light, dark = sorted((float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def oklab(rgb: FloatArray) -> FloatArray:
    """Return a linear RGB in Oklab, in which distances are what eyes see (Ottosson, 2020)."""
    lms = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return np.asarray(lab @ np.cbrt(lms @ rgb.clip(0.0, 1.0)))


def color(theme: Theme, name: str) -> Color:
    value = getattr(theme, name)
    assert isinstance(value, str)
    return Color.parse(value)


def faded(theme: Theme, strength: str) -> Color:
    """Return the foreground as the style sheet mixes it with the background."""
    share = float((STRENGTHS | theme.variables)[strength].removesuffix("%")) / 100
    return color(theme, "background").blend(color(theme, "foreground"), share)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_every_word_can_be_read(theme: Theme) -> None:
    """WCAG 2 asks for a contrast of 4.5 (AA) in text; high contrast keeps to its 7 (AAA), labels and axes included."""
    high = theme.name.endswith("contrast")
    for background in ("background", "surface"):
        for name in (*SEVERITIES, *CURVES, "foreground"):
            assert contrast(color(theme, name), color(theme, background)) >= (7 if high else 4.5)
    assert contrast(faded(theme, "label-strength"), color(theme, "background")) >= (7 if high else 4.5)
    assert contrast(faded(theme, "axis-strength"), color(theme, "background")) >= (7 if high else 3)


@pytest.mark.parametrize("seen", SEEN)
def test_colour_blind_people_tell_all_colours_apart(seen: str) -> None:
    """Each two severities, and the two curves of a chart, are further apart than red and green are for them."""
    theme = OURS["trainhealth-colour-blind"]
    eyes = np.array(SEEN[seen])

    def distance(one: str, two: str) -> float:
        return float(np.linalg.norm(oklab(eyes @ linear(color(theme, one))) - oklab(eyes @ linear(color(theme, two)))))

    for one, two in (*combinations(SEVERITIES, 2), CURVES):
        assert distance(one, two) > 0.1, (one, two)


async def test_a_chosen_theme_is_there_next_time() -> None:
    """In every folder: it suits a person's eyes, not a run."""
    async with opened(snapshot()) as pilot:
        await pilot.press("t")
        await pilot.pause()
        await pilot.pause()
        assert pilot.app.theme == "trainhealth-light"
        assert said(pilot) == ["Theme: trainhealth-light"]
    async with opened(snapshot()) as pilot:
        assert pilot.app.theme == "trainhealth-light"
        assert dashboard(pilot).current_theme.dark is False


async def test_a_remembered_theme_that_is_gone_is_none() -> None:
    """It may have come from a plugin of Textual's, or from a newer version of ours."""
    from trainhealth.tui.memory import Memory

    Memory(Path("/")).choose("theme", "of-yore")
    async with opened() as pilot:
        assert pilot.app.theme == "trainhealth"


async def test_every_theme_of_textual_draws_the_dashboard() -> None:
    """They know nothing of the variables of our style sheet."""
    async with opened(snapshot()) as pilot:
        for name in pilot.app.available_themes:
            pilot.app.theme = name
            await pilot.pause()
            assert "learning-rate-too-high" in screen_text(pilot)


def test_themes_follow_one_another_round() -> None:
    """From a theme that is not ours, the first of ours follows."""
    names = [theme.name for theme in THEMES]
    assert [theme_after(name) for name in names] == [*names[1:], names[0]]
    assert theme_after("nord") == names[0]
