"""Layers over time: a row a layer (or parameter), a column a group of sampled steps, a colour or a glyph a value.

Time runs by sampled step, not by step: training's first steps, which are sampled most densely, get the room that they
deserve. The numbers on the axis tell which step a column is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainhealth.series import RunView
from trainhealth.tui.amounts import figure, short_count
from trainhealth.tui.lines import ELLIPSIS, Line, Span, clip, line, spread
from trainhealth.tui.look import Look
from trainhealth.tui.ramps import Reduction, Scale, role, shade

LATEST = 8  # cells for the newest value, at the end of a row
_LEGEND = 12  # cells of the ramp in the legend


@dataclass(frozen=True)
class Kind:
    """How a signal is shown: its name for people, its scale (None: as the data are), and what a cell stands for."""

    signal: str
    title: str
    scale: Scale | None
    reduction: Reduction
    holds: bool = False  # a value stays in force until the next one comes


KINDS = (
    Kind("activation_std", "activation std", Scale("diverging", -4, 4, True), Reduction.MEAN),
    Kind("dead_fraction", "dead units", Scale("inferno", 0, 1, False), Reduction.MAXIMUM, holds=True),
    Kind("update_ratio", "update ratio", Scale("diverging", -6, 0, True), Reduction.MAXIMUM),
    Kind("parameter_gradient_norm", "gradient norm", None, Reduction.MAXIMUM),
    Kind("saturated_fraction", "saturated share", Scale("inferno", 0, 1, False), Reduction.MAXIMUM),
    Kind("zero_fraction", "zero share", Scale("inferno", 0, 1, False), Reduction.MAXIMUM),
)

_COUNTS = {"layer": ("activation_nonfinite",), "parameter": ("gradient_nonfinite", "parameter_nonfinite")}


@dataclass(frozen=True, eq=False)
class HeatMap:
    """The values of one signal that a screen can show: [rows, sampled steps], with the rows' names."""

    kind: Kind
    places: tuple[str, ...] = ()
    steps: NDArray[np.int64] | None = None
    values: NDArray[np.float32] | None = None  # NaN where there is no value
    broken: NDArray[np.bool_] | None = None  # where the value is missing because elements were NaN or infinite

    @property
    def scale(self) -> Scale:
        """The kind's own scale, or the powers of ten that the values span."""
        if self.kind.scale is not None:
            return self.kind.scale
        positive = self.values[np.isfinite(self.values) & (self.values > 0)] if self.values is not None else np.empty(0)
        if not len(positive):
            return Scale("viridis", -3, 0, True)
        low, high = np.floor(np.log10(positive.min())), np.ceil(np.log10(positive.max()))
        return Scale("viridis", float(low), float(max(high, low + 1)), True)


def kinds_in(view: RunView) -> tuple[Kind, ...]:
    """Return the kinds for which the run holds at least one value."""
    return tuple(kind for kind in KINDS if len(heat_map(view, kind).places))


def heat_map(view: RunView, kind: Kind) -> HeatMap:
    """Return the rows of `kind` that hold a value at any sampled step."""
    columns = view.columns(kind.signal)
    present = np.flatnonzero(~np.isnan(columns.values).all(axis=0)) if len(columns) else np.empty(0, np.int64)
    if not len(present):
        return HeatMap(kind)
    values = columns.values[:, present].T
    places = tuple(columns.places[index] for index in present)
    return HeatMap(kind, places, columns.steps, _held(values) if kind.holds else values, _broken(view, kind, places))


def _broken(view: RunView, kind: Kind, places: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return [places, sampled steps]: whether the log counted elements that are no finite numbers."""
    scope = "parameter" if kind.signal in ("update_ratio", "parameter_gradient_norm") else "layer"
    counts = [view.columns(name) for name in _COUNTS[scope] if len(view.columns(name))]
    broken = np.zeros((len(places), len(view.columns(kind.signal))), bool)
    for count in counts:
        rows = {place: row for row, place in enumerate(count.places)}
        known = [rows.get(place, -1) for place in places]
        hit = count.values.T[known] > 0
        broken |= hit & (np.array(known) >= 0)[:, None]
    return broken


def _held(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each row with its gaps filled by the value before."""
    index = np.where(np.isnan(values), 0, np.arange(values.shape[1]))
    return np.take_along_axis(values, np.maximum.accumulate(index, axis=1), axis=1)


def draw_heat_map(heat: HeatMap, width: int, height: int, look: Look, first_row: int = 0) -> list[Line]:
    """Return exactly `height` lines: title and legend, the rows from `first_row` on, the axis of steps."""
    title = spread(line(Span(f"Layers: {heat.kind.title}", "title")), _legend(heat.scale, look), width)
    if heat.values is None or heat.steps is None or heat.broken is None:
        text = f"  no sampled step has {heat.kind.signal} yet"
        return [title, clip(line(Span(text, "label")), width), *[()] * height][:height]
    rows = max(height - 2, 0)
    names = min(max(len(place) for place in heat.places) + 1, max(width // 3, 8))
    cells = max(width - names - LATEST, 1)
    shown = range(first_row, min(first_row + rows, len(heat.places)))
    bounds = np.arange(cells + 1) * len(heat.steps) // cells
    body = [_row(heat, row, bounds, names, look) for row in shown]
    hidden = len(heat.places) - len(shown)
    axis = _axis(heat.steps, bounds, names, width, f"{hidden} more" if hidden else "now")
    return [title, *body, axis, *[()] * (rows - len(body))][:height]


def _legend(scale: Scale, look: Look) -> Line:
    low, high = scale.ends
    parts: list[str | Span] = [Span(f"{low} ", "label")]
    for cell in range(_LEGEND):
        share = (cell + 0.5) / _LEGEND
        parts.append(Span(" ", role(scale.ramp, share)) if look.colour else shade(share, look.glyphs))
    if scale.middle:
        parts.append(Span(f" {high}, middle {scale.middle}", "label"))
    else:
        parts.append(Span(f" {high}", "label"))
    return line(*parts)


def _row(heat: HeatMap, row: int, bounds: NDArray[np.int64], names: int, look: Look) -> Line:
    assert heat.values is not None
    assert heat.broken is not None  # the caller has looked
    values, broken = heat.values[row], heat.broken[row]
    scale = heat.scale
    cells = [_cell(values[a:b], broken[a:b], heat.kind, scale, look) for a, b in _groups(bounds)]
    finite = values[~np.isnan(values)]
    latest = Span("NaN", "critical") if broken[-1] else Span(figure(float(finite[-1])) if len(finite) else "", "value")
    gap = " " * max(LATEST - len(latest.text), 0)
    return (Span(_name(heat.places[row], names - 1).ljust(names), "label"), *_merged(cells), Span(gap), latest)


def _groups(bounds: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the range of sampled steps of every cell; where there are fewer than cells, they repeat."""
    return [(int(a), max(int(b), int(a) + 1)) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]


def _cell(values: NDArray[np.float32], broken: NDArray[np.bool_], kind: Kind, scale: Scale, look: Look) -> Span:
    if broken.any():
        return Span("✖", "critical")
    present = values[~np.isnan(values)]
    if not len(present):
        return Span(" ")
    if np.isinf(present).any():
        return Span("↑", "critical")
    value = float(present.max() if kind.reduction is Reduction.MAXIMUM else present.mean())
    share = scale.share(value)
    return Span(" ", role(scale.ramp, share)) if look.colour else Span(shade(share, look.glyphs))


def _merged(cells: list[Span]) -> list[Span]:
    """Return neighbours of the same role as one span: a screen draws spans, not cells."""
    merged = [cells[0]]
    for cell in cells[1:]:
        if cell.role == merged[-1].role:
            merged[-1] = Span(merged[-1].text + cell.text, cell.role)
        else:
            merged.append(cell)
    return merged


def _name(place: str, width: int) -> str:
    """Return the end of a name, which tells the layers of a deep model apart."""
    return place if len(place) <= width else ELLIPSIS + place[len(place) - width + 1 :]


def _axis(steps: NDArray[np.int64], bounds: NDArray[np.int64], names: int, width: int, note: str) -> Line:
    text = "step".rjust(names - 1) + " "
    stride = 12
    for cell in range(0, len(bounds) - 1, stride):
        begin = names + cell
        if begin >= len(text):
            text = text.ljust(begin) + short_count(int(steps[bounds[cell]]))
    return spread(line(Span(text.rstrip(), "axis")), line(Span(note, "axis")), width)
