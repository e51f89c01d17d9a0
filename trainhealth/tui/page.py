"""The pages that open over the dashboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from trainhealth.tui.commands import PAGE, bindings
from trainhealth.tui.lines import Line
from trainhealth.tui.muting import Muting
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.widgets.painting import ROLES
from trainhealth.tui.widgets.scrolling import Scrolling


class PageText(Scrolling):
    """The text of a page."""

    def __init__(self, lines_of: Callable[[Snapshot, int], list[Line]]) -> None:
        super().__init__(id="text")
        self._lines_of = lines_of

    def compose_lines(self, snapshot: Snapshot, width: int) -> list[Line]:
        """Return the page's lines."""
        return self._lines_of(snapshot, width - 1)  # a blank before the bar that scrolls


class Page(ModalScreen[None]):
    """Text over the dashboard: a finding in full, what was not checked, the help."""

    BINDINGS = bindings(PAGE)
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLES)

    def __init__(self, title: str, snapshot: Snapshot, lines_of: Callable[[Snapshot, int], list[Line]]) -> None:
        super().__init__()
        self._title, self._lines_of = title, lines_of
        self.shown = snapshot
        self.hint = "esc to go back"

    def compose(self) -> ComposeResult:
        """Put the text into a frame."""
        with Vertical(id="frame") as frame:
            frame.border_title = self._title
            frame.border_subtitle = self.hint
            yield PageText(self._lines_of)

    def on_mount(self) -> None:
        """Show what there is."""
        self.receive(self.shown)

    def receive(self, snapshot: Snapshot) -> None:
        """Show a new snapshot: the page follows the run."""
        self.shown = snapshot
        self._text.show(snapshot)

    def remute(self, muting: Muting) -> None:
        """Show the same snapshot with other findings muted."""
        self.receive(muting.applied(self.shown))

    @property
    def _text(self) -> PageText:
        return self.query_one(PageText)

    # --- actions, in the order of `commands.PAGE` ---

    def action_back(self) -> None:
        """Close the page."""
        self.dismiss()

    def action_scroll(self, by: int) -> None:
        """Scroll by a line."""
        self._text.scroll_relative(y=by, animate=False)

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        self._text.scroll_relative(y=by * self._text.size.height, animate=False)

    def action_edge(self, direction: int) -> None:
        """Go to the beginning or the end."""
        if direction < 0:
            self._text.scroll_home(animate=False)
        else:
            self._text.scroll_end(animate=False)
