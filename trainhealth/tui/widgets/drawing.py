"""A widget of a fixed size that is filled by a plain function: charts, the heat map, the header."""

from __future__ import annotations

from textual.strip import Strip

from trainhealth.tui.failures import failure_text, record_failure
from trainhealth.tui.lines import Line, Span, paragraph
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.widgets.painting import Painted


class Drawing(Painted):
    """Shows what `draw` returns for its size, and asks again only when there is something new."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's name for it
        super().__init__(id=id)
        self.snapshot: Snapshot | None = None
        self._strips: list[Strip] = []
        self._drawn_size: tuple[int, int] | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Draw another snapshot from now on; one with the same view of the run and the same findings looks the same."""
        before, self.snapshot = self.snapshot, snapshot
        if before is None or before.view is not snapshot.view or before.findings != snapshot.findings:
            self.redraw()

    def redraw(self) -> None:
        """Draw anew."""
        self._drawn_size = None
        self.refresh()

    def draw(self, snapshot: Snapshot, width: int, height: int) -> list[Line]:
        """Return the lines for a size in cells."""
        raise NotImplementedError  # abstract

    def notify_style_update(self) -> None:
        """Draw anew in the colours of another theme."""
        super().notify_style_update()
        self._drawn_size = None

    def render_line(self, y: int) -> Strip:
        """Return one line of the drawing."""
        size = (self.size.width, self.size.height)
        if size != self._drawn_size:
            self._strips = [self.paint(content, size[0]) for content in self._draw(*size)]
            self._drawn_size = size
        return self._strips[y] if y < len(self._strips) else self.paint((), size[0])

    def _draw(self, width: int, height: int) -> list[Line]:
        if self.snapshot is None:
            return []
        try:
            return self.draw(self.snapshot, width, height)
        except Exception as error:  # noqa: BLE001  # data may be of any kind: one chart fails, the dashboard goes on
            text = failure_text(error, record_failure(error))
            return paragraph(text, width, first=Span("✖", "critical"), indent=2, role="label")
