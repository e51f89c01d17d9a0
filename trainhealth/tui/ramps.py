"""Colour ramps for heat maps, and the glyphs that carry the same where colours may not.

Anchors of `viridis` and `inferno` are those of matplotlib (CC0), even in lightness and readable with every kind of
colour-blindness; `diverging` goes from blue (too small) over a dark middle (as it should be) to orange (too large).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from trainhealth.series import FloatArray
from trainhealth.tui.amounts import exponential
from trainhealth.tui.look import Glyphs

LEVELS = 24  # colours of a ramp
BARS = "▁▂▃▄▅▆▇█"
DIGITS = "0123456789"

ANCHORS = {
    "diverging": ("#6cb6ff", "#3673b3", "#1f4468", "#1c2a38", "#1e2329", "#3b2a20", "#7a4a22", "#c8742b", "#ffab5e"),
    "inferno": ("#161b26", "#2b1146", "#56136b", "#89226a", "#ba3655", "#e35932", "#f98c0a", "#f9c932", "#fcffa4"),
    "viridis": ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"),
}

# Where the background is light, what is as it should be (the middle, the lower end) is light too.
_ON_LIGHT = {
    "diverging": ("#1b5fa8", "#5d93cb", "#a3c2e0", "#d3e0ec", "#e9e7e3", "#f1dcc4", "#e9b67c", "#cc7a2c", "#9a4e0c"),
    "inferno": ("#f3eee4", "#f7d9b0", "#f4b27c", "#ee8355", "#dd5549", "#b73356", "#872360", "#561a57", "#2b1146"),
}


class Reduction(StrEnum):
    """What stands for several sampled steps that share a cell."""

    MEAN = "mean"
    MAXIMUM = "maximum"


@dataclass(frozen=True)
class Scale:
    """Which values a ramp spans; on a logarithmic scale `low` and `high` are log10."""

    ramp: str
    low: float
    high: float
    log: bool

    def share(self, values: FloatArray) -> FloatArray:
        """Return where values lie on the ramp, from 0 to 1; what lies beyond it is at its end. NaN stays NaN."""
        with np.errstate(divide="ignore", invalid="ignore"):
            positions = np.log10(np.maximum(values, 0.0)) if self.log else values
        return np.asarray(((positions - self.low) / (self.high - self.low)).clip(0.0, 1.0))

    def label(self, share: float) -> str:
        """Return the value at `share` of the ramp, for its legend."""
        position = self.low + share * (self.high - self.low)
        value = 10.0**position if self.log else position
        return f"{value:g}" if value == 0 or 1e-3 <= abs(value) <= 1e3 else exponential(value, 0)

    @property
    def has_middle(self) -> bool:
        """Whether the ramp's middle is the value to compare with."""
        return self.ramp == "diverging"


def shade(level: int, glyphs: Glyphs) -> str:
    """Return a glyph that shows a level of a ramp without a colour: a bar that grows, a digit in ASCII."""
    steps = DIGITS if glyphs is Glyphs.ASCII else BARS
    return steps[level * len(steps) // LEVELS]


def colour(ramp: str, level: int, *, dark: bool = True) -> tuple[int, int, int]:
    """Return red, green and blue of one of the `LEVELS` colours on a dark or a light background."""
    chosen = ANCHORS[ramp] if dark else _ON_LIGHT.get(ramp, ANCHORS[ramp])
    anchors = [tuple(int(anchor[k : k + 2], 16) for k in (1, 3, 5)) for anchor in chosen]
    position = level / (LEVELS - 1) * (len(anchors) - 1)
    begin = min(int(position), len(anchors) - 2)
    part = position - begin
    red, green, blue = (round(a + part * (b - a)) for a, b in zip(anchors[begin], anchors[begin + 1], strict=True))
    return red, green, blue
