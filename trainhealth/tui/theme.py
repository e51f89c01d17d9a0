"""The dashboard's own theme: quiet, dark, one strong colour for each severity."""

from __future__ import annotations

from textual.theme import Theme

THEME = Theme(
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
