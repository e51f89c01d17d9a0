"""Curves over steps as lines of text: several series over one another, axes, a legend, and marks for what is no number.

NaN leaves a gap and a mark on the axis below, infinity a mark at the edge that it lies beyond. Where curves meet, the
last one in the figure owns the cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trainhealth.rules.base import number
from trainhealth.series import Series
from trainhealth.tui.across import STEPS, Ruler
from trainhealth.tui.lines import Line, Span, clip, line, spread, width_of
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.plot import Plot
from trainhealth.tui.pyramid import Pyramid
from trainhealth.tui.raster import Window

LOG_FROM = 100.0  # largest over smallest value from which on an axis is logarithmic, unless the figure or the user says
_LABELLED_FROM = 6  # rows of a chart that has room for the numbers of its steps
_NARROWEST = 16  # cells in which there is anything to see


@dataclass(frozen=True, eq=False)
class Curve:
    """A series in a chart. `ascii_glyph` draws it where there are no finer characters."""

    series: Series
    role: str
    name: str = ""
    newest: float | None = None  # in the legend; None for a curve that the legend leaves out
    ascii_glyph: str = "*"
    marker: str = ""  # at every value, while there is room
    derived: bool = False  # computed from another curve, which has the marks for what is no number
    holds: bool = False  # a value stays in force until the next one
    kept: Pyramid | None = None  # of an earlier drawing: only what the series has grown by is reduced

    @cached_property
    def pyramid(self) -> Pyramid:
        """The blocks of the series."""
        return self.kept or Pyramid(self.series)

    def at(self, step: float) -> float | None:
        """Return the value at `step`, or the last one before; None before the first."""
        index = int(np.searchsorted(self.series.steps, int(step), side="right")) - 1
        return float(self.series.values[index]) if index >= 0 else None


@dataclass(frozen=True)
class Guide:
    """A horizontal line at a value that is worth comparing with."""

    value: float
    legend: str


@dataclass(frozen=True)
class Mark:
    """A step worth finding again: a sign on the axis below and, if it has a `line`, a line through the chart."""

    step: float
    role: str
    sign: str = "┴"
    line: bool = True
    rank: int = 0  # which of two marks in one cell can be seen: that of the higher rank


@dataclass(frozen=True)
class Band:
    """Steps that belong together: shaded, with a bar on the axis below."""

    first: float
    last: float
    role: str


@dataclass(frozen=True, eq=False)
class Figure:
    """A chart: curves from the back to the front, and what stands around them."""

    title: str
    curves: tuple[Curve, ...]
    window: Window | None = None  # the steps that are shown; None: those that the curves span
    missing: str = ""  # what to say while there are no values
    log: bool | None = None  # None: as the values are
    guides: tuple[Guide, ...] = ()
    marks: tuple[Mark, ...] = ()
    bands: tuple[Band, ...] = ()
    cursor: float | None = None  # a step: the legend has the values there
    ruler: Ruler = STEPS
    last_step: int | None = None  # of the run: until there, a curve that holds its values goes on

    @property
    def shown(self) -> Window | None:
        """The steps that are shown; None while there are no values."""
        ends = [(int(curve.series.steps[0]), curve.series.last_step) for curve in self.curves if len(curve.series)]
        if not ends:
            return None
        return self.window or Window(min(first for first, _ in ends), max(last for _, last in ends))

    @property
    def until(self) -> float:
        """The step until which the last value of a curve holds."""
        return float(max([curve.series.last_step for curve in self.curves] + [self.last_step or 0]))

    @property
    def is_log(self) -> bool:
        """Whether the values ask for a logarithmic axis: all are positive, and they span two powers of ten."""
        if self.log is not None:
            return self.log
        wholes = [curve.pyramid.whole(0, len(curve.series)) for curve in self.curves]
        low = min((float(spans.low[0]) for spans in wholes), default=0.0)
        high = max((float(spans.high[0]) for spans in wholes), default=0.0)
        return 0 < low <= high and high / low >= LOG_FROM


def draw_chart(figure: Figure, width: int, height: int, look: Look, log: bool | None = None) -> list[Line]:
    """Return exactly `height` lines of at most `width` cells; `log` overrides the figure's own choice of axis."""
    log = figure.is_log if log is None else log
    plot = _plot(figure, width, height, look, log=log)
    title = _title(figure, width, look, log and figure.shown is not None)
    if plot is None:
        text = line(Span(f"  {figure.missing}", "label")) if figure.shown is None else ()
        return [title, clip(text, width), *[()] * height][:height]
    return [title, *plot.rows(), *plot.axis(labelled=height >= _LABELLED_FROM)]


def step_under(figure: Figure, width: int, height: int, look: Look, cell: int) -> int | None:
    """Return the step that stands in a column of cells of the chart as it is drawn; None beside the plot."""
    plot = _plot(figure, width, height, look, log=figure.is_log)
    return plot.step_at(cell) if plot is not None else None


def plot_width(figure: Figure, width: int, height: int, look: Look) -> int:
    """Return how many cells the curves have."""
    plot = _plot(figure, width, height, look, log=figure.is_log)
    return plot.width if plot is not None else width


def _plot(figure: Figure, width: int, height: int, look: Look, *, log: bool) -> Plot | None:
    """Return the drawing below the title; None where there is nothing to draw, or no room."""
    window, rows = figure.shown, height - 2 - (height >= _LABELLED_FROM)
    if window is None or rows < 1 or width < _NARROWEST:
        return None
    return Plot(figure, window, width, rows, look, log=log)


def _title(figure: Figure, width: int, look: Look, log: bool) -> Line:
    """Return the title with the legend; where that is too wide, the values stand without the curves' names."""
    axis = line(Span("log", "label")) if log else ()
    full, short = (line(Span(figure.title, "title"), *_legend(figure, look, named)) for named in (True, False))
    return spread(full if width_of(full) + width_of(axis) < width else short, axis, width)


def _legend(figure: Figure, look: Look, named: bool) -> list[str | Span]:
    parts: list[str | Span] = []
    for curve in sorted(figure.curves, key=lambda curve: bool(curve.marker)):
        value = curve.newest if figure.cursor is None or curve.newest is None else curve.at(figure.cursor)
        if curve.newest is not None:
            sign = curve.marker or (curve.ascii_glyph if look.glyphs is Glyphs.ASCII else "━")
            parts += [
                "  ",
                Span(f"{sign} ", curve.role),
                f"{curve.name} " if named and curve.name else "",
                _value(value),
            ]
    if figure.cursor is not None and named:
        raws = [
            value for curve in figure.curves if curve.role == "raw" and (value := curve.at(figure.cursor)) is not None
        ]
        parts += [Span(f"  raw {' to '.join(number(value) for value in raws)}", "label")] if raws else []
    if named and figure.cursor is None:
        parts += [Span(f"  ┄ {guide.legend}", "label") for guide in figure.guides]
    return parts


def _value(value: float | None) -> Span:
    if value is None:
        return Span("–", "label")
    return Span(number(value), "value" if np.isfinite(value) else "critical")
