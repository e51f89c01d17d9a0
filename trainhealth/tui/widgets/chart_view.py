"""A chart of the run."""

from __future__ import annotations

from collections.abc import Callable

from trainhealth.findings import Finding
from trainhealth.series import RunView
from trainhealth.tui.charts import Figure, draw_chart
from trainhealth.tui.lines import Line
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.widgets.drawing import Drawing


class ChartView(Drawing):
    """Draws the figure that `figure_of` makes of a run, with the beginning of the selected finding marked."""

    def __init__(self, id: str, figure_of: Callable[[RunView, Finding | None], Figure]) -> None:  # noqa: A002  # Textual's name for it
        super().__init__(id=id)
        self._figure_of = figure_of
        self._finding: Finding | None = None
        self._log: bool | None = None  # None: as the values are

    def draw(self, snapshot: Snapshot, width: int, height: int) -> list[Line]:
        """Return the chart's lines."""
        return draw_chart(self._figure_of(snapshot.view, self._finding), width, height, self.look, self._log)

    def mark(self, finding: Finding | None) -> None:
        """Mark where a finding began; None: nothing."""
        if finding != self._finding:
            self._finding = finding
            self.redraw()

    @property
    def is_log(self) -> bool:
        """Whether the axis of values is logarithmic now."""
        if self._log is not None or self.snapshot is None:
            return bool(self._log)
        return self._figure_of(self.snapshot.view, None).is_log

    def set_log(self, log: bool) -> None:
        """Make the axis of values logarithmic or linear, whatever the values are."""
        self._log = log
        self.redraw()
