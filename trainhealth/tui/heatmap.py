"""Layers over time: a row a layer (or parameter), a column a group of sampled steps, a colour or a glyph a value.

Time runs by sampled step, not by step: training's first steps, which are sampled most densely, get the room that they
deserve. The numbers on the axis tell which step a column is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trainhealth.series import FloatArray, IntArray, RunView
from trainhealth.tui.amounts import figure, short_count
from trainhealth.tui.lines import ELLIPSIS, Line, Span, clip, line, spread
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.ramps import LEVELS, Reduction, Scale, shade

LATEST = 8  # cells for the newest value, at the end of a row
_LEGEND = 12  # cells of the ramp in the legend
_TALLEST = 3  # lines that a row takes where there is room

EMPTY, BROKEN, INFINITE = -1, -2, -3  # what a cell shows that has no colour
_SIGNS = {EMPTY: " ", BROKEN: "✖", INFINITE: "↑"}


@dataclass(frozen=True)
class Kind:
    """How a signal is shown: its name for people, its scale (None: as the data are), and what a cell stands for."""

    signal: str
    title: str
    scale: Scale | None
    reduction: Reduction
    holds: bool = False  # a value stays in force until the next one comes
    weights_only: bool = False  # biases and scales start near zero, where any update is large


KINDS = (
    Kind("activation_std", "activation std", Scale("diverging", -2, 2, True), Reduction.MEAN),
    Kind("dead_fraction", "dead units", Scale("inferno", 0, 1, False), Reduction.MAXIMUM, holds=True),
    Kind("update_ratio", "update ratio", Scale("diverging", -5, -1, True), Reduction.MAXIMUM, weights_only=True),
    Kind("parameter_gradient_norm", "gradient norm", None, Reduction.MAXIMUM),
    Kind("saturated_fraction", "saturated share", Scale("inferno", 0, 1, False), Reduction.MAXIMUM),
    Kind("zero_fraction", "zero share", Scale("inferno", 0, 1, False), Reduction.MAXIMUM),
)

_COUNTS = {"layer": ("activation_nonfinite",), "parameter": ("gradient_nonfinite", "parameter_nonfinite")}


@dataclass(frozen=True, eq=False)
class HeatMap:
    """The values of one signal that a screen can show: [rows, sampled steps], with the rows' names."""

    kind: Kind
    places: tuple[str, ...]
    steps: IntArray
    values: NDArray[np.float32]  # NaN where there is no value
    broken: NDArray[np.bool_]  # where the log counted elements that were no finite numbers

    @property
    def scale(self) -> Scale:
        """The kind's own scale, or the powers of ten that the values span."""
        if self.kind.scale is not None:
            return self.kind.scale
        positive = self.values[np.isfinite(self.values) & (self.values > 0)]
        if not len(positive):
            return Scale("viridis", -3, 0, True)
        low, high = np.floor(np.log10(positive.min())), np.ceil(np.log10(positive.max()))
        return Scale("viridis", float(low), float(max(high, low + 1)), True)


def kinds_in(view: RunView) -> tuple[Kind, ...]:
    """Return the kinds for which the run holds at least one value."""
    return tuple(kind for kind in KINDS if not np.isnan(view.columns(kind.signal).values).all())


def heat_map(view: RunView, kind: Kind) -> HeatMap:
    """Return the rows of `kind` that hold a value at any sampled step."""
    columns = view.columns(kind.signal)
    present = np.flatnonzero(~np.isnan(columns.values).all(axis=0)) if len(columns) else np.empty(0, np.int64)
    if kind.weights_only:
        weights = {entry.name for entry in view.parameters if len(entry.shape) >= 2}
        present = np.array([i for i in present if columns.places[i] in weights] or present, np.int64)
    values = columns.values[:, present].T
    places = tuple(columns.places[index] for index in present)
    return HeatMap(kind, places, columns.steps, _held(values) if kind.holds else values, _broken(view, kind, places))


def _broken(view: RunView, kind: Kind, places: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return [places, sampled steps]: whether the log counted elements that are no finite numbers."""
    scope = "parameter" if kind.signal in ("update_ratio", "parameter_gradient_norm") else "layer"
    steps = view.columns(kind.signal).steps
    broken = np.zeros((len(places), len(steps)), bool)
    for name in _COUNTS[scope]:
        count = view.columns(name)
        if not len(count):
            continue
        at = np.searchsorted(count.steps, steps).clip(max=len(count) - 1)
        rows = [count.places.index(place) if place in count.places else -1 for place in places]
        broken |= (count.values[at][:, rows].T > 0) & (np.array(rows) >= 0)[:, None] & (count.steps[at] == steps)
    return broken


def _held(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each row with its gaps filled by the value before."""
    index = np.where(np.isnan(values), 0, np.arange(values.shape[1]))
    return np.take_along_axis(values, np.maximum.accumulate(index, axis=1), axis=1)


def draw_heat_map(heat: HeatMap, width: int, height: int, look: Look, first_row: int = 0) -> list[Line]:
    """Return exactly `height` lines: title and legend, the rows from `first_row` on, the axis of steps."""
    title = spread(line(Span(f"Layers: {heat.kind.title}", "title")), _legend(heat.scale, look), width)
    if not heat.places:
        text = f"  no sampled step has {heat.kind.signal} yet"
        return [title, clip(line(Span(text, "label")), width), *[()] * height][:height]
    rows = max(height - 2, 0)
    names = min(max(len(place) for place in heat.places) + 1, max(width // 3, 8))
    cells = max(width - names - LATEST, 1)
    starts = np.arange(cells) * len(heat.steps) // cells
    shown = slice(first_row, first_row + rows)
    body = _body(heat, shown, starts, names, look, tall=min(max(rows // len(heat.places), 1), _TALLEST))
    axis = _axis(heat.steps[starts], names, width, _position(len(heat.places), shown))
    return [clip(row, width) for row in [title, *body, axis, *[()] * (rows - len(body))]][:height]


def _body(heat: HeatMap, shown: slice, starts: IntArray, names: int, look: Look, tall: int) -> list[Line]:
    """Return `tall` lines a row; the first of them has the name and the newest value."""
    lines: list[Line] = []
    for row, codes in zip(range(len(heat.places))[shown], _codes(heat, shown, starts), strict=True):
        runs = _runs(codes, heat.scale, look)
        name = Span(_name(heat.places[row], names - 1).ljust(names), "label")
        lines += [(name, *runs, *_latest(heat, row)), *[(Span(" " * names), *runs)] * (tall - 1)]
    return lines


def _legend(scale: Scale, look: Look) -> Line:
    """Return the ramp with the values at its ends, and in the middle where that is as it should be."""
    codes = np.arange(_LEGEND) * LEVELS // _LEGEND
    stops = (0, _LEGEND // 2, _LEGEND) if scale.has_middle else (0, _LEGEND)
    parts: list[str | Span] = [Span(f"{scale.label(0.0)} ", "label")]
    for begin, end in pairwise(stops):
        label = scale.label(end / _LEGEND)
        parts += [*_runs(codes[begin:end], scale, look), Span(f" {label}{'' if end == _LEGEND else ' '}", "label")]
    return line(*parts)


def _codes(heat: HeatMap, shown: slice, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return what every cell shows: a level of the ramp, or one of the codes below zero."""
    values, broken = heat.values[shown].astype(np.float64), heat.broken[shown]
    if len(heat.steps) < len(starts):  # a sampled step is several cells wide
        values, broken = values[:, starts], broken[:, starts]
        infinite = np.isinf(values)
    else:
        infinite = np.logical_or.reduceat(np.isinf(values), starts, axis=1)
        broken = np.logical_or.reduceat(broken, starts, axis=1)
        values = _reduced(values, starts, heat.kind.reduction)
    with np.errstate(invalid="ignore"):
        codes = np.where(np.isnan(values), EMPTY, np.floor(heat.scale.share(values) * LEVELS))
    codes = np.where(np.isfinite(values), codes.clip(max=LEVELS - 1), EMPTY)
    return np.where(broken, BROKEN, np.where(infinite, INFINITE, codes)).astype(np.int64)


def _reduced(values: FloatArray, starts: NDArray[np.int64], reduction: Reduction) -> FloatArray:
    if reduction is Reduction.MAXIMUM:
        return np.asarray(np.fmax.reduceat(values, starts, axis=1))
    present = ~np.isnan(values)
    counts = np.add.reduceat(present, starts, axis=1, dtype=np.int64)
    sums = np.add.reduceat(np.where(present, values, 0.0), starts, axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _runs(codes: NDArray[np.int64], scale: Scale, look: Look) -> list[Span]:
    """Return a row of cells; neighbours that look the same are one span, because a screen draws spans."""
    borders = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    spans = []
    for begin, end in pairwise(borders):
        code = int(codes[begin])
        if code < 0:
            spans.append(Span(_SIGNS[code] * (end - begin), "" if code == EMPTY else "critical"))
        elif look.colour and look.glyphs is not Glyphs.ASCII:
            spans.append(Span(" " * (end - begin), f"{scale.ramp}-{code}"))
        else:
            spans.append(Span(shade(code, look.glyphs) * (end - begin)))
    return spans


def _latest(heat: HeatMap, row: int) -> tuple[Span, Span]:
    """Return the newest value of a row, aligned to the right: the number behind the last colour."""
    finite = heat.values[row][~np.isnan(heat.values[row])]
    text = figure(float(finite[-1]))
    latest = Span("NaN", "critical") if heat.broken[row, -1] else Span(text, "value")
    return Span(" " * max(LATEST - len(latest.text), 0)), latest


def _name(place: str, width: int) -> str:
    """Return the end of a name, which tells the layers of a deep model apart."""
    return place if len(place) <= width else ELLIPSIS + place[len(place) - width + 1 :]


def _position(places: int, shown: slice) -> str:
    """Return which rows are shown, where they are not all; else what the numbers above are."""
    last = min(shown.stop, places)
    return "now" if last - shown.start == places else f"{shown.start + 1}–{last} of {places}"


def _axis(steps: IntArray, names: int, width: int, note: str) -> Line:
    """Return the steps of the cells, every twelfth of them labelled."""
    text = f"{'step':>{names - 1}} "
    for cell in range(0, len(steps), 12):
        longer = text.ljust(names + cell) + short_count(int(steps[cell]))
        if len(longer) + len(note) < width:
            text = longer
    return spread(line(Span(text, "axis")), line(Span(note, "axis")), width)
