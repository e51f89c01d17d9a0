"""The small charts of the overview: those that have something to show."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Grid

from trainhealth.tui.board import Board
from trainhealth.tui.figures import SMALL_FIGURES
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.widgets.chart_view import ChartView

_ABREAST = 2


class SmallCharts(Grid):
    """Charts in two columns; one without values leaves its room to others (the page of curves says what fills it)."""

    def __init__(self, board: Board) -> None:
        super().__init__(id="small")
        self._board = board

    def compose(self) -> ComposeResult:
        """Make a chart of each figure."""
        for name, figure_of in SMALL_FIGURES.items():
            yield ChartView(name, figure_of, self._board)

    def choose(self, snapshot: Snapshot) -> None:
        """Show the charts that have values."""
        filled = 0
        for chart in self.query(ChartView):
            has_values = chart.has_values(snapshot)
            chart.set_class(not has_values, "-empty")
            filled += has_values
        self.set_class(filled == 0, "-empty")
        self.set_class(0 < filled <= _ABREAST, "-one-row")
