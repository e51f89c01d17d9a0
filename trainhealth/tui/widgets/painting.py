"""From lines of roles to Textual's strips: the one place at which roles become colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from trainhealth.tui.lines import Line
from trainhealth.tui.look import Look
from trainhealth.tui.ramps import ANCHORS, colour

if TYPE_CHECKING:
    from trainhealth.tui.app import Dashboard

ROLES = frozenset(
    f"role--{role}"
    for role in (
        *("title", "strong", "label", "axis", "guide", "value"),
        *("critical", "warning", "note", "healthy"),
        *("raw", "train", "validation", "cursor", "evidence"),
        *("selected", *(f"run-{number}" for number in range(1, 9))),
    )
)


class Painted(Widget):
    """A widget that shows lines of roles.

    What a role looks like stands in the style sheet, as a component class of the *screen*: on every widget, the same
    thirteen classes would cost a tenth of a second at the start.
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's name for it
        super().__init__(id=id)
        self._styles: dict[str, Style] = {}

    @property
    def dashboard(self) -> Dashboard:
        """The app, as the type that it is."""
        return cast("Dashboard", self.app)

    @property
    def look(self) -> Look:
        """How this terminal is drawn on."""
        return self.dashboard.look

    def notify_style_update(self) -> None:
        """Forget the colours of roles: the theme may have changed."""
        super().notify_style_update()
        self._styles.clear()

    def paint(self, content: Line, width: int) -> Strip:
        """Return a line as a strip of exactly `width` cells."""
        text = self.look.text
        segments = [Segment(text(span.text), self._style(span.role)) for span in content]
        return Strip(segments).adjust_cell_length(width, self._style(""))

    def _style(self, role: str) -> Style:
        style = self._styles.get(role)
        if style is None:
            role, _, ground = (whole := role).partition("@")
            ramp, _, level = role.partition("-")
            if not role:
                style = self.rich_style
            elif ramp in ANCHORS:
                style = Style(bgcolor=Color.from_rgb(*colour(ramp, int(level), dark=self.app.current_theme.dark)))
            else:
                wanted = self.screen.get_component_rich_style(f"role--{role}")
                style = self.rich_style + Style(color=wanted.color, bold=wanted.bold, dim=wanted.dim)
            if ground and self.look.colour:
                style += Style(bgcolor=self.screen.get_component_rich_style(f"role--{ground}").color)
            self._styles[whole] = style
        return style
