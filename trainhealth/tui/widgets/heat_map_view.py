"""The layers over time."""

from __future__ import annotations

from textual.events import MouseScrollDown, MouseScrollUp

from trainhealth.tui.heatmap import KINDS, HeatMap, Kind, draw_heat_map, heat_map, kinds_in
from trainhealth.tui.lines import Line
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.widgets.drawing import Drawing

_WHEEL = 3  # rows that the mouse wheel scrolls


class HeatMapView(Drawing):
    """Draws one signal of all layers; which one, the evidence of the selected finding says until the user does."""

    def __init__(self) -> None:
        super().__init__(id="layers")
        self._chosen: Kind | None = None
        self._evidence: tuple[str, ...] = ()  # signals of the selected finding
        self._first_row = 0
        self._kinds: tuple[Kind, ...] = ()  # that the run holds

    def show(self, snapshot: Snapshot) -> None:
        """Show another snapshot."""
        self._kinds = kinds_in(snapshot.view)
        super().show(snapshot)

    def suggest(self, signals: tuple[str, ...]) -> None:
        """Show one of these signals, unless the user has chosen one."""
        if signals != self._evidence:
            self._evidence = signals
            self.redraw()

    def turn(self, by: int) -> None:
        """Show the next signal that the run holds, or the one before."""
        kinds, now = self._kinds or KINDS, self.kind
        self._chosen = kinds[(kinds.index(now) + by) % len(kinds)] if now in kinds else kinds[0]
        self._first_row = 0
        self.redraw()

    @property
    def kind(self) -> Kind:
        """What is shown."""
        if self._chosen is not None:
            return self._chosen
        kinds = self._kinds or KINDS
        return next((kind for kind in kinds if kind.signal in self._evidence), kinds[0])

    def scroll_rows(self, by: int) -> None:
        """Scroll by rows; beyond the ends there is nothing."""
        rows = len(self._heat.places) if self.snapshot else 0
        first = max(min(self._first_row + by, rows - self._visible), 0)
        if first != self._first_row:
            self._first_row = first
            self.redraw()

    def scroll_pages(self, by: int) -> None:
        """Scroll by what can be seen at once."""
        self.scroll_rows(by * self._visible)

    def draw(self, snapshot: Snapshot, width: int, height: int) -> list[Line]:
        """Return the heat map's lines."""
        return draw_heat_map(self._heat, width, height, self.look, self._first_row)

    @property
    def _heat(self) -> HeatMap:
        assert self.snapshot is not None  # the callers have looked
        return heat_map(self.snapshot.view, self.kind)

    @property
    def _visible(self) -> int:
        return max(self.size.height - 2, 1)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Scroll with the wheel."""
        event.stop()
        self.scroll_rows(_WHEEL)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Scroll with the wheel."""
        event.stop()
        self.scroll_rows(-_WHEEL)
