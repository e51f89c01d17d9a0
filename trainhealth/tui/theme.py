"""The dashboard's own themes. One strong colour for each severity, and quiet ones for what stands around the data."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from textual.theme import Theme

from trainhealth.tui.memory import Memory

# How strong a colour is where it says less than the data do. Other people's themes have no such variables: these hold.
STRENGTHS = {
    "label-strength": "58%",
    "axis-strength": "42%",
    "guide-strength": "32%",
    "value-strength": "85%",
    "raw-strength": "34%",
}

_DARK = Theme(
    name="trainhealth",
    primary="#6cb6ff",  # notes
    secondary="#d7a6f5",  # validation
    accent="#5fd3bc",  # training
    success="#7fd18b",
    warning="#f0b64b",
    error="#ff6b68",
    foreground="#d5dae1",
    background="#12161c",
    surface="#171c24",
    panel="#1f2630",
    dark=True,
)
_LIGHT = Theme(
    name="trainhealth-light",
    primary="#0b57b0",
    secondary="#7a3aa5",
    accent="#00685e",
    success="#1d6b33",
    warning="#8a5200",
    error="#b3201c",
    foreground="#1b2027",
    background="#fbfaf7",
    surface="#f3f1ec",
    panel="#e8e5de",
    dark=False,
    variables={
        **STRENGTHS,
        "label-strength": "70%",
        "axis-strength": "56%",
        "guide-strength": "38%",
        "raw-strength": "46%",
    },
)
# Vermilion, yellow, blue and purple of Okabe and Ito (Color Universal Design, 2008), some of them lightened for a dark
# background. Green is left out: beside red it is what most colour-blind people can't tell apart.
_COLOUR_BLIND = Theme(
    name="trainhealth-colour-blind",
    primary="#d68fb8",
    secondary="#e69f00",
    accent="#56b4e9",
    success="#a6dcff",
    warning="#f0e442",
    error="#f2681f",
    foreground="#dde1e6",
    background="#12161c",
    surface="#171c24",
    panel="#1f2630",
    dark=True,
)
_CONTRAST = Theme(
    name="trainhealth-contrast",
    primary="#7ecbff",
    secondary="#ffb0ff",
    accent="#3fffd9",
    success="#6bff8d",
    warning="#ffd840",
    error="#ff8080",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    dark=True,
    variables=dict.fromkeys(STRENGTHS, "85%") | {"guide-strength": "60%", "raw-strength": "60%"},
)

THEMES = (_DARK, _LIGHT, _COLOUR_BLIND, _CONTRAST)
THEME = _DARK  # where nobody has chosen another


def theme_after(name: str) -> str:
    """Return the theme of ours that follows; after one that is not ours, the first."""
    names = [theme.name for theme in THEMES]
    return names[(names.index(name) + 1) % len(names)] if name in names else names[0]


def remembered_theme(available: Container[str]) -> str:
    """Return the theme that was chosen last, in whatever folder: it suits a person's eyes, not a run."""
    name = _everywhere().choice("theme", THEME.name)
    return name if name in available else THEME.name


def remember_theme(theme: Theme) -> None:
    """Begin with this theme from now on."""
    _everywhere().choose("theme", theme.name)


def _everywhere() -> Memory:
    return Memory(Path("/"))
