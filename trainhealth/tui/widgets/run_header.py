"""The header: how the run is."""

from __future__ import annotations

from textual.geometry import Size

from trainhealth.tui.lines import Line
from trainhealth.tui.run_header import header_lines
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.widgets.drawing import Drawing

ROOMY = 32  # rows of a screen on which the header also says what trains


class RunHeader(Drawing):
    """The state and the verdict; what to do where the view does not say it; what trains, and notices about the log."""

    def __init__(self) -> None:
        super().__init__(id="header")
        self.behind: int | None = None  # steps that a paused screen lags; None while it is not paused
        self._remedy = False
        self._height = 0

    def show_behind(self, behind: int | None) -> None:
        """Say that the screen is paused, and how far behind it is; None: it is not."""
        self.behind = behind
        self.redraw()

    def show_remedy(self, remedy: bool) -> None:
        """Say the first thing to do, or leave that to the list of findings."""
        self._remedy = remedy
        self.redraw()
        self._fit()

    def show(self, snapshot: Snapshot) -> None:
        """Show another snapshot, of which the state may be all that is new; lines come and go."""
        self.snapshot = snapshot
        self.redraw()
        self._fit()

    def _fit(self) -> None:
        height = len(self._lines(max(self.size.width, 20)))
        if height != self._height:
            self._height = height
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines there are to say."""
        return len(self._lines(width)) or 2

    def draw(self, snapshot: Snapshot, width: int, height: int) -> list[Line]:
        """Return the header's lines."""
        return self._lines(width)

    def _lines(self, width: int) -> list[Line]:
        if self.snapshot is None:
            return []
        roomy = self.screen.size.height >= ROOMY
        return header_lines(self.snapshot, width, self.behind, remedy=self._remedy, model=roomy)
