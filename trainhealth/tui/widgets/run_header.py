"""The header: what trains, how far it is, and whether it is alive."""

from __future__ import annotations

from textual.geometry import Size

from trainhealth.tui.lines import Line
from trainhealth.tui.run_header import header_lines
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.widgets.drawing import Drawing


class RunHeader(Drawing):
    """Two lines, and a third where there is something to say about the log."""

    def __init__(self) -> None:
        super().__init__(id="header")
        self.behind: int | None = None  # steps that a paused screen lags; None while it is not paused
        self._height = 0

    def show_behind(self, behind: int | None) -> None:
        """Say that the screen is paused, and how far behind it is; None: it is not."""
        self.behind = behind
        self.redraw()

    def show(self, snapshot: Snapshot) -> None:
        """Show another snapshot, of which the state may be all that is new; the third line comes and goes."""
        self.snapshot = snapshot
        self.redraw()
        height = len(header_lines(snapshot, max(self.size.width, 20)))
        if height != self._height:
            self._height = height
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines there are to say."""
        return len(header_lines(self.snapshot, width)) if self.snapshot else 2

    def draw(self, snapshot: Snapshot, width: int, height: int) -> list[Line]:
        """Return the header's lines."""
        return header_lines(snapshot, width, self.behind)
