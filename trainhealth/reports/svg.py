"""Curves as SVG: small, without scripts, and with every spike still there."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from trainhealth import curves
from trainhealth.rules.base import number
from trainhealth.series import FloatArray, Series

WIDTH, HEIGHT = 640, 200  # of the drawing, in its own units
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 8, 10, 24  # margins
POINTS = 600  # columns of which smallest and largest value are drawn
_DECADES = 1.5  # powers of ten that positive values span, from which on the axis is logarithmic


class Mark(NamedTuple):
    """A step that a finding points at."""

    step: int
    label: str


class _Axis(NamedTuple):
    low: float
    high: float
    log: bool

    def place(self, values: FloatArray) -> FloatArray:
        """Return where values lie, 0 to 1."""
        scaled = np.log10(np.maximum(values, 1e-300)) if self.log else values
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        span = high / 2 - low / 2 or 1.0  # halved: two huge values of both signs are not farther apart than a float
        return np.asarray((scaled / 2 - low / 2) / span, np.float64)


def chart(title: str, lines: Sequence[Series], marks: Sequence[Mark] = ()) -> str:
    """Return a drawing of one or two signals over their steps; "" where no value is finite.

    NaN and infinity are left out, with a word at the first.
    """
    cleaned = [curves.clean(line) for line in lines]
    drawn = [line for line in cleaned if len(line)]
    if not drawn:
        return ""
    first = min(int(line.steps[0]) for line in drawn)
    last = max(max(line.last_step for line in lines), first + 1)
    axis = _axis(np.concatenate([line.values for line in drawn]))
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">']
    parts += _frame(axis, first, last)
    for mark in marks:
        x = _x(np.array([mark.step], np.float64), first, last)[0]
        parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}">')
        parts.append(f"<title>{escape(mark.label)}</title></line>")
    for place, (line, whole) in enumerate(zip(cleaned, lines, strict=True)):
        if len(line):
            parts.append(f'<polyline class="line{place}" points="{_points(line, axis, first, last)}"/>')
        bad = whole.steps[~np.isfinite(whole.values)]
        if len(bad):
            x = _x(bad[:1].astype(np.float64), first, last)[0]
            parts.append(f'<text class="bad" x="{x:.1f}" y="{HEIGHT - _BOTTOM - 3}">not finite</text>')
    return "".join([*parts, "</svg>"])


def _axis(values: FloatArray) -> _Axis:
    low, high = float(values.min()), float(values.max())
    log = low > 0 and math.log10(high / low) > _DECADES
    if not log and low == high:
        room = (abs(low) or 1.0) / 2
        low, high = max(low - room, -sys.float_info.max), min(high + room, sys.float_info.max)
    return _Axis(low, high, log)


def _x(steps: FloatArray, first: int, last: int) -> FloatArray:
    return np.asarray(_LEFT + (steps - first) / (last - first) * (WIDTH - _LEFT - _RIGHT), np.float64)


def _y(places: FloatArray) -> FloatArray:
    return np.asarray(HEIGHT - _BOTTOM - places * (HEIGHT - _TOP - _BOTTOM), np.float64)


def _points(line: Series, axis: _Axis, first: int, last: int) -> str:
    x = _x(line.steps.astype(np.float64), first, last)
    y = _y(axis.place(line.values))
    if len(x) > 2 * POINTS:
        keep = _extremes(line.values)
        x, y = x[keep], y[keep]
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))


def _extremes(values: FloatArray) -> list[int]:
    """Return the places of the smallest and largest value of each of `POINTS` stretches, in order."""
    bounds = np.linspace(0, len(values), POINTS + 1).astype(int).tolist()
    kept: set[int] = set()
    for low, high in pairwise(bounds):
        kept |= {low + int(values[low:high].argmin()), low + int(values[low:high].argmax())}
    return sorted(kept)


def _labels(values: Sequence[float]) -> list[str]:
    """Return the values in as few digits as tell them apart.

    >>> _labels([2.2987, 2.3031, 2.3075]), _labels([0.1, 1.0, 10.0])
    (['2.299', '2.303', '2.308'], ['0.1', '1', '10'])
    """
    labels = [number(value) for value in values]
    for digits in range(4, 8):
        if len(set(labels)) == len(set(values)):
            break
        labels = [f"{value:.{digits}g}" for value in values]
    return labels


def _frame(axis: _Axis, first: int, last: int) -> list[str]:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    middle = math.sqrt(axis.low) * math.sqrt(axis.high) if axis.log else axis.low / 2 + axis.high / 2  # no overflow
    parts = [f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>']
    values = (axis.low, middle, axis.high)
    for value, label in zip(values, _labels(values), strict=True):
        y = float(_y(axis.place(np.array([value])))[0])
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    parts.append(f'<text class="tick" x="{_LEFT}" y="{HEIGHT - 6}">step {first:,}</text>')
    parts.append(f'<text class="tick" x="{right}" y="{HEIGHT - 6}" text-anchor="end">{last:,}</text>')
    return parts
