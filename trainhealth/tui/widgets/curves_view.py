"""The page of curves: many charts, of which those that can be seen are drawn."""

from __future__ import annotations

import dataclasses

from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from trainhealth.series import RunView
from trainhealth.tui.board import Board
from trainhealth.tui.chart_csv import chart_csv
from trainhealth.tui.charts import Figure, draw_chart, plot_width, step_under
from trainhealth.tui.curves_page import Charts, Layout, charts_of, layout, lens_line, missing_lines
from trainhealth.tui.failures import failure_text, record_failure
from trainhealth.tui.lines import Line, Span, paragraph
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.widgets.pointing import Pointing
from trainhealth.tui.widgets.search_line import open_search

_BETWEEN = 2  # cells between two charts


class CurvesView(Pointing, ScrollView, can_focus=False):
    """Charts in a grid that scrolls under one line about how one looks at them."""

    DEFAULT_CSS = """
    CurvesView { overflow-x: hidden; overflow-y: auto; scrollbar-gutter: stable; }
    """

    def __init__(self, board: Board) -> None:
        super().__init__(id="curves")
        self.board = board
        self.snapshot: Snapshot | None = None
        self._charts = Charts((), (), 0)
        self._layout = Layout(1, 1, 1)
        self._below: list[Line] = []
        self._arranged: tuple[int, int] | None = None  # the size that the page is arranged for
        self._drawn: dict[int, list[Strip]] = {}  # charts by their number
        self._head: Strip | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Show another snapshot from now on."""
        self.snapshot = snapshot
        self.redraw()

    def redraw(self) -> None:
        """Arrange and draw anew, as soon as the page can be seen."""
        self._arranged = None
        if self.size.area:
            self._arrange()
        self.refresh()

    def on_resize(self) -> None:
        """Arrange for the new size."""
        self._arrange()

    def notify_style_update(self) -> None:
        """Paint anew in the colours of another theme."""
        super().notify_style_update()
        self._arranged = None

    @property
    def figures(self) -> list[Figure]:
        """The figures that are shown, in the order of the page."""
        if self.snapshot is None:
            return []
        self._arrange()
        return [self.board.figure(figure_of, self.snapshot) for figure_of in self._charts.shown]

    def plot_cells(self) -> int:
        """Return how many cells a chart's curves are wide."""
        figures = self.figures
        return plot_width(figures[0], *self._layout[1:], self.look) if figures else self._layout.width

    def search(self) -> None:
        """Ask for words that a chart's name must have."""

        def look_for(words: str) -> None:
            self.look_with(words=words)

        open_search(self.screen, self.board.lens.words, "charts with these words in their names", look_for)

    def move(self, by: int) -> None:
        """Scroll by lines."""
        self.scroll_relative(y=by, animate=False)

    def scroll_pages(self, by: int) -> None:
        """Scroll by what can be seen at once: by whole charts."""
        fit = max((self.size.height - 1) // self._layout.height, 1)
        self.scroll_relative(y=by * fit * self._layout.height, animate=False)

    def render_line(self, y: int) -> Strip:
        """Return one line of what is scrolled into view."""
        self._arrange()
        width = self._width
        if self.snapshot is None:
            return self.paint((), width)
        if y == 0:
            if self._head is None:
                self._head = self.paint(lens_line(self.snapshot, self.board, self._charts, width), width)
            return self._head
        row = y - 1 + self.scroll_offset.y
        number, inside = row // self._layout.height, row % self._layout.height
        first = number * self._layout.abreast
        charts = range(first, min(first + self._layout.abreast, len(self._charts.shown)))
        if not charts:
            below = row - self._rows
            return self.paint(self._below[below] if 0 <= below < len(self._below) else (), width)
        gap = self.paint((), _BETWEEN)
        strips = [strip for chart in charts for strip in (gap, self._strips(chart)[inside])]
        return Strip.join(strips[1:]).adjust_cell_length(width, self.rich_style)

    def csv(self) -> str:
        """Return the numbers of all charts of the page, side by side: they show the same steps."""
        figures = self.figures
        curves = tuple(curve for figure in figures for curve in figure.curves)
        return chart_csv(dataclasses.replace(figures[0], curves=curves)) if figures else ""

    def step_at(self, x: int, y: int) -> int | None:
        """Return the step that stands in a cell; None beside the plots."""
        row = y - 1 + self.scroll_offset.y
        across, inside = divmod(x, self._layout.width + _BETWEEN)
        chart = row // self._layout.height * self._layout.abreast + across
        line = row % self._layout.height
        last = self._layout.height - 2  # the axis, and a line between the charts
        if y < 1 or across >= self._layout.abreast or chart >= len(self._charts.shown) or not 1 <= line < last:
            return None
        return step_under(self.figures[chart], self._layout.width, self._layout.height - 1, self.look, inside)

    def view(self) -> RunView:
        """Return the run that is shown."""
        return self.snapshot.view if self.snapshot is not None else RunView()

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    @property
    def _rows(self) -> int:
        return -(-len(self._charts.shown) // self._layout.abreast) * self._layout.height

    def _arrange(self) -> None:
        size = (self._width, self.size.height)
        if size == self._arranged or self.snapshot is None or size[0] <= 0:
            return
        self._arranged = size
        self._drawn.clear()
        self._head = None
        self._charts = charts_of(self.snapshot, self.board)
        self._layout = layout(len(self._charts.shown), size[0], size[1] - 1)
        self._below = missing_lines(self._charts, self.board.lens.words, size[0])
        height = 1 + self._rows + len(self._below)
        if self.virtual_size.height != height:
            self.virtual_size = Size(1, height)

    def _strips(self, chart: int) -> list[Strip]:
        if chart not in self._drawn:
            width, height = self._layout.width, self._layout.height
            lines = [*self._draw(chart, width, height - 1), ()]
            self._drawn[chart] = [self.paint(content, width) for content in lines]
        return self._drawn[chart]

    def _draw(self, chart: int, width: int, height: int) -> list[Line]:
        assert self.snapshot is not None  # the caller has looked
        try:
            figure = self.board.figure(self._charts.shown[chart], self.snapshot)
            return draw_chart(figure, width, height, self.look)
        except Exception as error:  # noqa: BLE001  # data may be of any kind: one chart fails, the page goes on
            text = failure_text(error, record_failure(error))
            return [*paragraph(text, width, first=Span("✖", "critical"), indent=2, role="label"), *[()] * height][
                :height
            ]
