"""Curves over steps as lines of text: several series over one another, axes, a legend, and marks for what is no number.

NaN leaves a gap and a mark on the axis of steps, infinity a mark at the edge that it lies beyond. Where curves meet,
the last one in the figure owns the cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from trainhealth.series import Series
from trainhealth.tui.axis import Tick, linear_ticks, log_ticks, step_ticks
from trainhealth.tui.lines import Line, Span, clip, line, spread
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.raster import DOTS, Cells, Column, Window, code_points, fill, reduce, to_cells

LOG_FROM = 100.0  # largest over smallest value from which on an axis is logarithmic, unless the figure or the user says
_LABELLED_FROM = 6  # rows of a chart that has room for the numbers of its steps
_NAN, _ABOVE, _BELOW, _MARKER = "✖", "↑", "↓", "◆"


@dataclass(frozen=True, eq=False)
class Curve:
    """A series in a chart. `ascii_glyph` draws it where there are no finer characters."""

    series: Series
    role: str
    legend: str = ""  # "" for a curve that the legend leaves out
    ascii_glyph: str = "*"
    markers: bool = False  # a marker at every value, while there is room
    derived: bool = False  # computed from another curve, which has the marks for what is no number


@dataclass(frozen=True)
class Guide:
    """A horizontal line at a value that is worth comparing with."""

    value: float
    legend: str


@dataclass(frozen=True)
class Mark:
    """A sign on the axis of steps."""

    step: int
    glyph: str
    role: str


@dataclass(frozen=True, eq=False)
class Figure:
    """A chart: curves from the back to the front, and what stands around them."""

    title: str
    curves: tuple[Curve, ...]
    missing: str = ""  # what to say while there are no values
    log: bool | None = None  # None: as the values are
    guides: tuple[Guide, ...] = ()
    marks: tuple[Mark, ...] = ()

    @property
    def window(self) -> Window | None:
        """The steps that the curves span; None while there are no values."""
        ends = [(int(curve.series.steps[0]), curve.series.last_step) for curve in self.curves if len(curve.series)]
        return Window(min(first for first, _ in ends), max(last for _, last in ends)) if ends else None

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
    window = figure.window
    title = _title(figure, width, look, log and window is not None)
    rows = height - 2 - (height >= _LABELLED_FROM)
    if window is None or rows < 1 or width < 16:
        text = line(Span(f"  {figure.missing}", "label")) if window is None else ()
        return [title, clip(text, width), *[()] * height][:height]
    plot = _Plot(figure, window, width, rows, look, log)
    return [title, *plot.rows(), *plot.axis(labelled=height >= _LABELLED_FROM)]


def _title(figure: Figure, width: int, look: Look, log: bool) -> Line:
    parts: list[str | Span] = [Span(figure.title, "title")]
    for curve in figure.curves:
        if curve.legend:
            sign = _MARKER if curve.markers else curve.ascii_glyph if look.glyphs is Glyphs.ASCII else "━"
            parts += ["  ", Span(f"{sign} ", curve.role), curve.legend]
    for guide in figure.guides:
        parts += ["  ", Span(f"┄ {guide.legend}", "label")]
    return spread(line(*parts), line(Span("log", "label")) if log else (), width)


class _Plot:
    """One drawing of a figure: the reduced curves, the range of values and the ticks, in cells."""

    def __init__(self, figure: Figure, window: Window, width: int, rows: int, look: Look, log: bool) -> None:
        self.figure, self.window, self.look, self.log = figure, window, look, log
        self.height = rows
        across, _ = DOTS[look.glyphs]
        # the gutter depends on the labels, these on the range of values, and that on the columns: 8 cells is the most
        guess = [reduce(curve.series, window, max(width - 8, 1) * across, log=log) for curve in figure.curves]
        self.low, self.high = self._range(guess)
        most = max(rows // 3, 2)
        self.ticks = (log_ticks if log else linear_ticks)(self.low, self.high, most)
        self.gutter = max(max((len(tick.label) for tick in self.ticks), default=0), 4) + 2
        self.width = width - self.gutter
        self.columns = [reduce(curve.series, window, self.width * across, log=log) for curve in figure.curves]

    def _range(self, columns: list[Column]) -> tuple[float, float]:
        """Return the range of values that are drawn, with a little air; 0 to 1 while there are none."""
        guides = [np.log10(guide.value) if self.log else guide.value for guide in self.figure.guides]
        ends = np.concatenate([*(np.append(column.low, column.high) for column in columns), guides])
        ends = ends[np.isfinite(ends)]
        if not len(ends):
            return 0.0, 1.0
        low, high = float(ends.min()), float(ends.max())
        air = 0.03 * (high - low) or max(0.1 * abs(low), 1e-12)
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
        marks = {self._column(mark.step): Span(mark.glyph, mark.role) for mark in self.figure.marks}
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
        """Return the character and the role (a number, 0 for none) of every cell of the plot."""
        across, down = DOTS[self.look.glyphs]
        characters = np.full((self.height, self.width), ord(" "), np.int32)
        owners = np.zeros((self.height, self.width), np.int32)
        self.roles = ["", "guide", "critical", *(curve.role for curve in self.figure.curves)]
        for guide in self.figure.guides:
            row = self._row(float(np.log10(guide.value)) if self.log else guide.value)
            characters[row], owners[row] = ord("┄"), 1
        for number, (curve, column) in enumerate(zip(self.figure.curves, self.columns, strict=True), 3):
            cells = to_cells(fill(column, self.low, self.high, self.height * down), self.look.glyphs)
            hit = cells > 0
            characters[hit] = code_points(cells, self.look.glyphs, curve.ascii_glyph)[hit]
            owners[hit] = number
            if curve.markers and len(curve.series) <= self.width // 2:
                self._paint_markers(curve, number, characters, owners)
        for column in self._measured():
            for row, sign, dots in ((0, _ABOVE, column.above), (self.height - 1, _BELOW, column.below)):
                characters[row, dots // across], owners[row, dots // across] = ord(sign), 2
        return characters, owners

    def _paint_markers(self, curve: Curve, number: int, characters: Cells, owners: Cells) -> None:
        for step, value in zip(curve.series.steps.tolist(), curve.series.values.tolist(), strict=True):
            if np.isfinite(value) and (value > 0 or not self.log):
                row, cell = self._row(np.log10(value) if self.log else value), self._column(step)
                characters[row, cell], owners[row, cell] = ord(_MARKER), number

    def _measured(self) -> list[Column]:
        pairs = zip(self.figure.curves, self.columns, strict=True)
        return [column for curve, column in pairs if not curve.derived]

    def _row(self, position: float) -> int:
        """Return the row of cells in which the dot at `position` lies."""
        down = DOTS[self.look.glyphs][1]
        dots = self.height * down
        level = int(np.floor((position - self.low) / (self.high - self.low) * (dots - 1) + 0.5))
        return min(max((dots - 1 - level) // down, 0), self.height - 1)

    def _column(self, step: float) -> int:
        across = DOTS[self.look.glyphs][0]
        dots = self.width * across
        share = (step - self.window.first) / max(self.window.last - self.window.first, 1)
        return min(max(int(share * (dots - 1) + 0.5) // across, 0), self.width - 1)

    def _spans(self, characters: Cells, owners: Cells) -> list[Span]:
        """Return one row as runs of the same role."""
        text = characters.astype("<u4").tobytes().decode("utf-32-le")
        borders = [0, *(np.flatnonzero(np.diff(owners)) + 1).tolist(), len(text)]
        return [Span(text[begin:end], self.roles[owners[begin]]) for begin, end in pairwise(borders)]
