"""A chart of the run."""

from __future__ import annotations

from trainhealth.series import RunView
from trainhealth.tui.board import Board
from trainhealth.tui.chart_csv import chart_csv
from trainhealth.tui.charts import Figure, draw_chart, plot_width, step_under
from trainhealth.tui.figures import FigureOf
from trainhealth.tui.lines import Line
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.widgets.drawing import Drawing
from trainhealth.tui.widgets.pointing import Pointing


class ChartView(Drawing, Pointing):
    """Draws the figure that `figure_of` makes of a run, through the lens of its board."""

    def __init__(self, id: str, figure_of: FigureOf, board: Board) -> None:  # noqa: A002  # Textual's name for it
        super().__init__(id=id)
        self.board = board
        self._figure_of = figure_of

    def draw(self, snapshot: Snapshot, width: int, height: int) -> list[Line]:
        """Return the chart's lines."""
        return draw_chart(self._figure(snapshot), width, height, self.look)

    def has_values(self, snapshot: Snapshot) -> bool:
        """Tell whether a run has anything for the chart to show."""
        return self._figure(snapshot).shown is not None

    @property
    def is_log(self) -> bool:
        """Whether the axis of values is logarithmic now."""
        return self.snapshot is not None and self._figure(self.snapshot).is_log

    def csv(self) -> str:
        """Return the numbers of the chart."""
        return chart_csv(self._figure(self.snapshot)) if self.snapshot is not None else ""

    def step_at(self, x: int, y: int) -> int | None:
        """Return the step that stands in a cell; None beside the plot."""
        if self.snapshot is None or not 1 <= y < self.size.height - 1:
            return None
        return step_under(self._figure(self.snapshot), self.size.width, self.size.height, self.look, x)

    def plot_cells(self) -> int:
        """Return how many cells the chart's curves are wide."""
        if self.snapshot is None:
            return self.size.width
        return plot_width(self._figure(self.snapshot), self.size.width, self.size.height, self.look)

    def view(self) -> RunView:
        """Return the run that is shown."""
        return self.snapshot.view if self.snapshot is not None else RunView()

    def _figure(self, snapshot: Snapshot) -> Figure:
        return self.board.figure(self._figure_of, snapshot)
