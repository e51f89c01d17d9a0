"""The list of findings, of which one is selected."""

from __future__ import annotations

from textual.events import Click
from textual.message import Message

from trainhealth.findings import Finding
from trainhealth.tui.findings_list import entries, findings_lines
from trainhealth.tui.lines import Line
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.widgets.scrolling import Scrolling


class FindingsList(Scrolling):
    """Shows the findings, causes first, and opens the selected one."""

    class Selected(Message):
        """The user has selected another finding."""

        def __init__(self, finding: Finding) -> None:
            super().__init__()
            self.finding = finding

    class Opened(Message):
        """The selected finding was clicked again."""

    def __init__(self) -> None:
        super().__init__(id="findings")
        self._selected: str | None = None  # the finding's id; None: the first, whichever that is
        self._owners: list[int] = []
        self._shows_muted = False

    @property
    def finding(self) -> Finding | None:
        """The selected finding."""
        listed = self._listed
        return listed[self._index] if listed else None

    def move(self, by: int) -> None:
        """Select another finding; at the ends of the list the selection stays."""
        listed = self._listed
        if listed:
            self._select(min(max(self._index + by, 0), len(listed) - 1))

    def mute(self) -> None:
        """Mute the selected finding, or show it again; the one that follows in the list is selected then."""
        if self.finding is None:
            self.app.notify("There is no finding to mute.", timeout=3)
            return
        here = self._index
        self.dashboard.mute(self.finding)
        if self._listed:
            self._select(min(here, len(self._listed) - 1))

    def show_muted(self) -> None:
        """List the muted findings too, or hide them."""
        self._shows_muted = not self._shows_muted
        self.redraw()
        if self._listed:
            self._select(self._index)

    def scroll_pages(self, by: int) -> None:
        """Scroll by what can be seen at once."""
        self.scroll_relative(y=by * self.size.height, animate=False)

    def compose_lines(self, snapshot: Snapshot, width: int) -> list[Line]:
        """Return the list's lines."""
        lines, self._owners = findings_lines(
            snapshot, width, self._index, room=self._room, show_muted=self._shows_muted
        )
        return lines

    def on_click(self, event: Click) -> None:
        """Select what is clicked, and open it when it was selected."""
        row = event.y + self.scroll_offset.y
        owner = self._owners[row] if row < len(self._owners) else -1
        if owner == self._index and self._listed:
            self.post_message(self.Opened())
        elif owner >= 0:
            self._select(owner)

    @property
    def _room(self) -> int:
        """How many lines can be seen, where that does not depend on the lines themselves."""
        return 0 if self.styles.is_auto_height else self.size.height

    @property
    def _listed(self) -> list[Finding]:
        return [entry.finding for entry in entries(self.snapshot, self._shows_muted)] if self.snapshot else []

    @property
    def _index(self) -> int:
        return next((number for number, f in enumerate(self._listed) if f.id == self._selected), 0)

    def _select(self, number: int) -> None:
        self._selected = self._listed[number].id if number else None
        self.redraw()
        rows = [row for row, owner in enumerate(self._owners) if owner == number]
        if rows:
            self.reveal(0 if number == 0 else rows[0], rows[-1])
        self.post_message(self.Selected(self._listed[number]))
