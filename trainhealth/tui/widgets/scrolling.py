"""A widget that shows text of any length: the list of findings, the pages."""

from __future__ import annotations

from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from trainhealth.tui.failures import failure_text, record_failure
from trainhealth.tui.lines import Line, Span, paragraph
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.widgets.painting import Painted


class Scrolling(Painted, ScrollView, can_focus=False):
    """Shows the lines that `compose_lines` returns for its width, and scrolls them."""

    DEFAULT_CSS = """
    Scrolling { overflow-x: hidden; overflow-y: auto; scrollbar-gutter: stable; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's name for it
        super().__init__(id=id)
        self.snapshot: Snapshot | None = None
        self._composed: list[Line] = []
        self._strips: dict[int, Strip] = {}
        self._composed_width = -1

    def compose_lines(self, snapshot: Snapshot, width: int) -> list[Line]:
        """Return all lines for a width in cells."""
        raise NotImplementedError  # abstract

    def show(self, snapshot: Snapshot) -> None:
        """Show another snapshot from now on."""
        self.snapshot = snapshot
        self.redraw()

    def redraw(self) -> None:
        """Compose anew; the layout follows where the number of lines has changed."""
        self._composed_width = -1
        self._lines_for(self.scrollable_content_region.width)
        self.refresh()

    def notify_style_update(self) -> None:
        """Paint anew in the colours of another theme."""
        super().notify_style_update()
        self._strips.clear()

    def on_resize(self) -> None:
        """Wrap for the new width."""
        self._lines_for(self.scrollable_content_region.width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines there are in `width`."""
        return len(self._lines_for(width))

    def render_line(self, y: int) -> Strip:
        """Return one line of what is scrolled into view."""
        width = self.scrollable_content_region.width
        lines = self._lines_for(width)
        row = y + self.scroll_offset.y
        if row not in self._strips:
            self._strips[row] = self.paint(lines[row] if row < len(lines) else (), width)
        return self._strips[row]

    def reveal(self, first: int, last: int) -> None:
        """Scroll so that the rows from `first` to `last` can be seen."""
        self.scroll_to_region(Region(0, first, 1, last - first + 1), animate=False, force=True)

    def _lines_for(self, width: int) -> list[Line]:
        if width != self._composed_width:
            self._composed_width = width
            self._composed = self._compose_or_explain(width)
            self._strips.clear()
            if self.virtual_size.height != len(self._composed):
                self.virtual_size = Size(1, len(self._composed))
        return self._composed

    def _compose_or_explain(self, width: int) -> list[Line]:
        if self.snapshot is None or width <= 0:
            return []
        try:
            return self.compose_lines(self.snapshot, width)
        except Exception as error:  # noqa: BLE001  # as in `Drawing`: one panel fails, the dashboard goes on
            text = failure_text(error, record_failure(error))
            return paragraph(text, width, first=Span("✖", "critical"), indent=2, role="label")
