"""A part of the screen that a plain function fills, whatever it draws from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from textual.strip import Strip

from trainhealth.tui.failures import failure_text, record_failure
from trainhealth.tui.lines import Line, Span, paragraph
from trainhealth.tui.widgets.painting import Painted

Fill: TypeAlias = Callable[[int, int], list[Line]]


class Panel(Painted):
    """Shows the lines that `fill` returns for a width and a height in cells."""

    def __init__(self, id: str, fill: Fill) -> None:  # noqa: A002  # Textual's name for it
        super().__init__(id=id)
        self._fill = fill
        self._strips: list[Strip] | None = None  # of the size that it has now
        self._filled_size = (0, 0)

    def redraw(self) -> None:
        """Fill it anew."""
        self._strips = None
        self.refresh()

    def notify_style_update(self) -> None:
        """Paint anew in the colours of another theme."""
        super().notify_style_update()
        self._strips = None

    def render_line(self, y: int) -> Strip:
        """Return one line of the panel."""
        size = (self.size.width, self.size.height)
        if self._strips is None or size != self._filled_size:
            self._strips, self._filled_size = [self.paint(content, size[0]) for content in self._lines(*size)], size
        return self._strips[y] if y < len(self._strips) else self.paint((), size[0])

    def _lines(self, width: int, height: int) -> list[Line]:
        try:
            return self._fill(width, height)
        except Exception as error:  # noqa: BLE001  # data may be of any kind: one panel fails, the dashboard goes on
            text = failure_text(error, record_failure(error))
            return paragraph(text, width, first=Span("✖", "critical"), indent=2, role="label")
