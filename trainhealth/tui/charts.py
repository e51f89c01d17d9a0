"""Curves over steps as lines of text: several series over one another, axes, a legend, and marks for what is no number.

NaN leaves a gap and a mark on the axis of steps, infinity a mark at the edge that it lies beyond. Where curves meet,
the last one in the figure owns the cell.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from trainhealth.rules.base import number
from trainhealth.series import Series
from trainhealth.tui.axis import Tick, linear_ticks, log_ticks, step_ticks
from trainhealth.tui.lines import Line, Span, clip, line, spread, width_of
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.raster import DOTS, Cells, Column, Window, code_points, fill, reduce, to_cells

LOG_FROM = 100.0  # largest over smallest value from which on an axis is logarithmic, unless the figure or the user says
_LARGEST = sys.float_info.max / 4  # beyond this the difference of two values may overflow
_LARGEST_POWER = 300.0  # beyond this an axis of powers of ten would end where floats do
_FLAT, _FLAT_POWERS = 1e-9, 0.01  # what differs by less (a share; powers of ten) is one value: float32 rounds to 1e-7
_AROUND_ONE_POWER = 0.3  # what is shown above and below a curve that has one value only
_LABELLED_FROM = 6  # rows of a chart that has room for the numbers of its steps
_NAN, _ABOVE, _BELOW = "✖", "↑", "↓"


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


@dataclass(frozen=True)
class Guide:
    """A horizontal line at a value that is worth comparing with."""

    value: float
    legend: str


@dataclass(frozen=True)
class Mark:
    """A step worth finding again: a line through the chart."""

    step: int
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

    @property
    def shown(self) -> Window | None:
        """The steps that are shown; None while there are no values."""
        ends = [(int(curve.series.steps[0]), curve.series.last_step) for curve in self.curves if len(curve.series)]
        if not ends:
            return None
        return self.window or Window(min(first for first, _ in ends), max(last for _, last in ends))

    @property
    def is_log(self) -> bool:
        """Whether the values ask for a logarithmic axis: all are positive, and they span two powers of ten."""
        if self.log is not None:
            return self.log
        finite = [curve.series.values[np.isfinite(curve.series.values)] for curve in self.curves]
        present = [values for values in finite if len(values)]
        low = min((float(values.min()) for values in present), default=0.0)
        high = max((float(values.max()) for values in present), default=0.0)
        return low > 0 and high / low >= LOG_FROM


def draw_chart(figure: Figure, width: int, height: int, look: Look, log: bool | None = None) -> list[Line]:
    """Return exactly `height` lines of at most `width` cells; `log` overrides the figure's own choice of axis."""
    log = figure.is_log if log is None else log
    window = figure.shown
    title = _title(figure, width, look, log and window is not None)
    rows = height - 2 - (height >= _LABELLED_FROM)
    if window is None or rows < 1 or width < 16:
        text = line(Span(f"  {figure.missing}", "label")) if window is None else ()
        return [title, clip(text, width), *[()] * height][:height]
    plot = _Plot(figure, window, width, rows, look, log)
    return [title, *plot.rows(), *plot.axis(labelled=height >= _LABELLED_FROM)]


def _title(figure: Figure, width: int, look: Look, log: bool) -> Line:
    """Return the title with the legend; where that is too wide, the curves' newest values stand without their names."""
    axis = line(Span("log", "label")) if log else ()
    full, short = (line(Span(figure.title, "title"), *_legend(figure, look, named)) for named in (True, False))
    return spread(full if width_of(full) + width_of(axis) < width else short, axis, width)


def _legend(figure: Figure, look: Look, named: bool) -> list[str | Span]:
    parts: list[str | Span] = []
    for curve in sorted(figure.curves, key=lambda curve: bool(curve.marker)):
        if curve.newest is not None:
            sign = curve.marker or (curve.ascii_glyph if look.glyphs is Glyphs.ASCII else "━")
            value = Span(number(curve.newest), "value" if np.isfinite(curve.newest) else "critical")
            parts += ["  ", Span(f"{sign} ", curve.role), f"{curve.name} " if named and curve.name else "", value]
    if named:
        parts += [Span(f"  ┄ {guide.legend}", "label") for guide in figure.guides]
    return parts


class _Plot:
    """One drawing of a figure: the reduced curves, the range of values and the ticks, in cells."""

    def __init__(self, figure: Figure, window: Window, width: int, rows: int, look: Look, log: bool) -> None:
        self.figure, self.window, self.look, self.log = figure, window, look, log
        self.height = rows
        self.roles = [""]  # that the cells name by their index
        self.low, self.high = self._range()
        self.ticks = (log_ticks if log else linear_ticks)(self.low, self.high, max(rows // 3, 2))
        self.gutter = max(max((len(tick.label) for tick in self.ticks), default=0), 4) + 2
        self.width = width - self.gutter
        dots = self.width * DOTS[look.glyphs][0]
        self.columns = [reduce(curve.series, window, dots, log=log) for curve in figure.curves]

    def _range(self) -> tuple[float, float]:
        """Return the range of all values that can be drawn, with a little air; 0 to 1 while there are none."""
        ends = [self._position(guide.value) for guide in self.figure.guides]
        for curve in self.figure.curves:
            values = curve.series.between(*self.window).values
            drawable = values[np.isfinite(values) & (values > 0) if self.log else np.isfinite(values)]
            if len(drawable):
                ends += [self._position(float(drawable.min())), self._position(float(drawable.max()))]
        if not ends:
            return 0.0, 1.0
        limit = _LARGEST_POWER if self.log else _LARGEST
        low, high = (min(max(end, -limit), limit) for end in (min(ends), max(ends)))
        air = 0.03 * (high - low)
        if self.log and high - low < _FLAT_POWERS:
            air = _AROUND_ONE_POWER
        elif not self.log and high - low <= _FLAT * max(abs(low), abs(high)):
            air = 0.1 * abs(low) or 1.0
        return low - air, high + air

    def rows(self) -> list[Line]:
        """Return the plot with the labels of its values to the left."""
        characters, owners = self._paint()
        labels = {self._row(tick.position): tick.label for tick in self.ticks}
        lines = []
        for row in range(self.height):
            label = labels.get(row, "")
            gutter = Span(f"{label:>{self.gutter - 1}}{'┤' if label else '│'}", "axis")
            lines.append((gutter, *self._spans(characters[row], owners[row])))
        return lines

    def axis(self, *, labelled: bool) -> list[Line]:
        """Return the axis of steps with its marks, and the numbers below it."""
        ticks = step_ticks(self.window.first, self.window.last, self.width)
        places = {self._column(tick.position): tick for tick in ticks}
        marks = {self._column(mark.step): Span("┴", mark.role) for mark in self.figure.marks}
        across, _ = DOTS[self.look.glyphs]
        for column in self._measured():
            marks |= {int(dot) // across: Span(_NAN, "critical") for dot in column.nan}
        spans = [Span(" " * (self.gutter - 1) + "└", "axis")]
        spans += [
            marks.get(cell) or Span("┬" if cell in places and labelled else "─", "axis") for cell in range(self.width)
        ]
        axis: Line = tuple(spans)
        return [axis, self._step_labels(places)] if labelled else [axis]

    def _step_labels(self, places: dict[int, Tick]) -> Line:
        text = f"{'step':>{self.gutter - 1}} "
        for cell, tick in sorted(places.items()):
            begin = min(self.gutter + cell - len(tick.label) // 2, self.gutter + self.width - len(tick.label))
            if begin > len(text) or len(text) == self.gutter == begin:
                text = text.ljust(begin) + tick.label
        return line(Span(text, "axis"))

    def _paint(self) -> tuple[Cells, Cells]:
        """Return the character and the role (an index into `roles`) of every cell, from the back to the front."""
        across, down = DOTS[self.look.glyphs]
        characters = np.full((self.height, self.width), ord(" "), np.int32)
        owners = np.zeros((self.height, self.width), np.int32)

        def put(where: Any, what: Any, role: str) -> None:
            characters[where], owners[where] = what, self._role(role)

        for guide in self.figure.guides:
            put((self._row(self._position(guide.value)), slice(None)), ord("┄"), "guide")
        for mark in self.figure.marks:
            put((slice(None), self._column(mark.step)), ord("┊"), mark.role)
        for curve, column in zip(self.figure.curves, self.columns, strict=True):
            cells = to_cells(fill(column, self.low, self.high, self.height * down), self.look.glyphs)
            hit = cells > 0
            put(hit, code_points(cells, self.look.glyphs, curve.ascii_glyph)[hit], curve.role)
        for curve in self.figure.curves:
            for row, cell in self._markers(curve):
                put((row, cell), ord(curve.marker), curve.role)
        for column in self._measured():
            put((0, column.above // across), ord(_ABOVE), "critical")
            put((self.height - 1, column.below // across), ord(_BELOW), "critical")
        return characters, owners

    def _markers(self, curve: Curve) -> list[tuple[int, int]]:
        """Return the cells of a curve's markers; none where they would stand too close to tell them apart."""
        if not curve.marker or len(curve.series) > self.width // 2:
            return []
        return [
            (self._row(self._position(value)), self._column(step))
            for step, value in zip(curve.series.steps.tolist(), curve.series.values.tolist(), strict=True)
            if np.isfinite(value) and (value > 0 or not self.log)
        ]

    def _role(self, role: str) -> int:
        if role not in self.roles:
            self.roles.append(role)
        return self.roles.index(role)

    def _measured(self) -> list[Column]:
        pairs = zip(self.figure.curves, self.columns, strict=True)
        return [column for curve, column in pairs if not curve.derived]

    def _position(self, value: float) -> float:
        return float(np.log10(value)) if self.log else value

    def _row(self, position: float) -> int:
        """Return the row of cells in which the dot at `position` lies."""
        down = DOTS[self.look.glyphs][1]
        dots = self.height * down
        inside = min(max(position, self.low), self.high)
        level = int((inside - self.low) / (self.high - self.low) * (dots - 1) + 0.5)
        return (dots - 1 - level) // down

    def _column(self, step: float) -> int:
        across = DOTS[self.look.glyphs][0]
        dots = self.width * across
        inside = min(max(step, self.window.first), self.window.last)
        share = (inside - self.window.first) / max(self.window.last - self.window.first, 1)
        return int(share * (dots - 1) + 0.5) // across

    def _spans(self, characters: Cells, owners: Cells) -> list[Span]:
        """Return one row as runs of the same role."""
        text = characters.astype("<u4").tobytes().decode("utf-32-le")
        borders = [0, *(np.flatnonzero(np.diff(owners)) + 1).tolist(), len(text)]
        return [Span(text[begin:end], self.roles[owners[begin]]) for begin, end in pairwise(borders)]
