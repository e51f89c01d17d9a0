"""One drawing of a figure, without its title: curves, bands and marks in cells, between the two axes."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from trainhealth.tui.axis import Tick
from trainhealth.tui.lines import Line, Span, line
from trainhealth.tui.look import Look
from trainhealth.tui.raster import DOTS, Cells, Column, Grid, Window, code_points, fill, indices, reduce, to_cells
from trainhealth.tui.scale import Scale, position, scale_for

if TYPE_CHECKING:
    from trainhealth.tui.charts import Curve, Figure

_NAN, _ABOVE, _BELOW = "✖", "↑", "↓"
_EVIDENCE = "@evidence"  # the part of a role that is a background


class Plot:
    """The reduced curves, the two axes, and what is drawn over them, in cells."""

    def __init__(self, figure: Figure, window: Window, width: int, rows: int, look: Look, *, log: bool) -> None:
        self.figure, self.look, self.log = figure, look, log
        self.height = rows
        self.roles = [""]  # that the cells name by their index
        self.guides = [guide.value for guide in figure.guides if guide.value > 0 or not log]
        self.across, down = DOTS[look.glyphs]
        self.scale = self._scale(window, down)
        self.gutter = gutter_of(self.scale)
        self.width = width - self.gutter
        self.grid = Grid(window, self.width * self.across, figure.ruler)

    @cached_property
    def columns(self) -> list[Column]:
        """The reduced curves."""
        until = self.figure.until
        return [
            reduce(curve.series, curve.pyramid, self.grid, log=self.log, holds=until if curve.holds else None)
            for curve in self.figure.curves
        ]

    def step_at(self, cell: int) -> int | None:
        """Return the step in the middle of a cell; None beside the plot."""
        inside = 0 <= cell - self.gutter < self.width
        dot = (cell - self.gutter) * self.across + (self.across - 1) / 2
        return round(self.grid.step(dot)) if inside else None

    def _scale(self, window: Window, dots_a_row: int) -> Scale:
        """Return an axis on which all values of the window that can be drawn lie."""
        ends = [position(value, log=self.log) for value in self.guides]
        for curve in self.figure.curves:
            first, last = indices(curve.series, window)
            first -= curve.holds and first > 0  # the value that is in force at the window's beginning
            spans = curve.pyramid.whole(first, last)
            low, high = float((spans.positive if self.log else spans.low)[0]), float(spans.high[0])
            if low <= high:
                ends += [position(low, log=self.log), position(high, log=self.log)]
        return scale_for(ends, self.height, dots_a_row, log=self.log)

    def rows(self) -> list[Line]:
        """Return the plot with the labels of its values to the left."""
        characters, owners = self._paint()
        labels = {self.scale.row(tick.position): tick.label for tick in self.scale.ticks}
        lines = []
        for row in range(self.height):
            label = labels.get(row, "")
            gutter = Span(f"{label:>{self.gutter - 1}}{'┤' if label else '│'}", "axis")
            lines.append((gutter, *self._spans(characters[row], owners[row])))
        return lines

    def axis(self, *, labelled: bool) -> list[Line]:
        """Return the axis below with its marks, and the numbers under it."""
        ticks = self.figure.ruler.ticks(*self.grid.ends, self.width)
        places = {self._cell(self._dot_of(tick)): tick for tick in ticks}
        signs = dict.fromkeys(places if labelled else (), Span("┬", "axis"))
        for band in self.figure.bands:
            first, last = self._cells(band.first, band.last)
            signs |= {cell: Span("━", band.role) for cell in range(first, last)}
        for mark in sorted(self.figure.marks, key=lambda mark: mark.rank):
            if self._inside(mark.step):
                signs[self._cell(self.grid.column(mark.step))] = Span(mark.sign, mark.role)
        for column in self._measured():
            signs |= {int(dot) // self.across: Span(_NAN, "critical") for dot in column.nan}
        spans = [Span(" " * (self.gutter - 1) + "└", "axis")]
        spans += [signs.get(cell) or Span("─", "axis") for cell in range(self.width)]
        return [tuple(spans), self._labels(places)] if labelled else [tuple(spans)]

    def _labels(self, places: dict[int, Tick]) -> Line:
        text = f"{self.figure.ruler.across:>{self.gutter - 1}} "
        for cell, tick in sorted(places.items()):
            begin = min(self.gutter + cell - len(tick.label) // 2, self.gutter + self.width - len(tick.label))
            if begin > len(text) or len(text) == self.gutter == begin:
                text = text.ljust(begin) + tick.label
        return line(Span(text, "axis"))

    def _paint(self) -> tuple[Cells, Cells]:
        """Return the character and the role (an index into `roles`) of every cell, from the back to the front."""
        characters = np.full((self.height, self.width), ord(" "), np.int32)
        owners = np.zeros((self.height, self.width), np.int32)

        def put(where: Any, what: Any, role: str) -> None:
            characters[where], owners[where] = what, self._role(role)

        for value in self.guides:
            put((self.scale.row_of(value), slice(None)), ord("┄"), "guide")
        for mark in self.figure.marks:
            if mark.line and self._inside(mark.step):
                put((slice(None), self._cell(self.grid.column(mark.step))), ord("┊"), mark.role)
        if self.figure.cursor is not None and self._inside(self.figure.cursor):
            put((slice(None), self._cell(self.grid.column(self.figure.cursor))), ord("│"), "cursor")
        for curve, column in zip(self.figure.curves, self.columns, strict=True):
            dots = fill(column, self.scale.low, self.scale.high, self.height * self.scale.dots_a_row)
            cells = to_cells(dots, self.look.glyphs)
            hit = cells > 0
            put(hit, code_points(cells, self.look.glyphs, curve.ascii_glyph)[hit], curve.role)
        for curve in self.figure.curves:
            for row, cell in self._markers(curve):
                put((row, cell), ord(curve.marker), curve.role)
        for column in self._measured():
            put((0, column.above // self.across), ord(_ABOVE), "critical")
            put((self.height - 1, column.below // self.across), ord(_BELOW), "critical")
        self._shade(owners)
        return characters, owners

    def _shade(self, owners: Cells) -> None:
        """Give the cells of bands another background: their roles get a second part."""
        for band in self.figure.bands:
            first, last = self._cells(band.first, band.last)
            part = owners[:, first:last]
            for index in np.unique(part).tolist():
                part[part == index] = self._role(self.roles[index].removesuffix(_EVIDENCE) + _EVIDENCE)

    def _markers(self, curve: Curve) -> list[tuple[int, int]]:
        """Return the cells of a curve's markers; none where they would stand too close to tell them apart."""
        first, last = indices(curve.series, self.grid.window)
        if not curve.marker or last - first > self.width // 2:
            return []
        steps, values = (part[first:last].tolist() for part in (curve.series.steps, curve.series.values))
        return [
            (self.scale.row_of(value), self._cell(self.grid.column(step)))
            for step, value in zip(steps, values, strict=True)
            if np.isfinite(value) and (value > 0 or not self.log)
        ]

    def _role(self, role: str) -> int:
        if role not in self.roles:
            self.roles.append(role)
        return self.roles.index(role)

    def _measured(self) -> list[Column]:
        pairs = zip(self.figure.curves, self.columns, strict=True)
        return [column for curve, column in pairs if not curve.derived]

    def _inside(self, step: float) -> bool:
        return self.grid.window.first <= step <= self.grid.window.last

    def _cell(self, dot: int) -> int:
        return dot // self.across

    def _dot_of(self, tick: Tick) -> int:
        first, last = self.grid.ends
        share = (tick.position - first) / ((last - first) or 1.0)
        return int(min(max(share, 0.0), 1.0) * (self.grid.columns - 1) + 0.5)

    def _cells(self, first: float, last: float) -> tuple[int, int]:
        """Return the cells of the steps from `first` to `last`: the first one, and the one behind the last."""
        if last < self.grid.window.first or first > self.grid.window.last:
            return 0, 0
        return self._cell(self.grid.column(first)), self._cell(self.grid.column(last)) + 1

    def _spans(self, characters: Cells, owners: Cells) -> list[Span]:
        """Return one row as runs of the same role."""
        text = characters.astype("<u4").tobytes().decode("utf-32-le")
        borders = [0, *(np.flatnonzero(np.diff(owners)) + 1).tolist(), len(text)]
        return [Span(text[begin:end], self.roles[owners[begin]]) for begin, end in pairwise(borders)]


def gutter_of(scale: Scale) -> int:
    """Return how many cells the labels of the values take, with the axis."""
    return max(max((len(tick.label) for tick in scale.ticks), default=0), 4) + 2
