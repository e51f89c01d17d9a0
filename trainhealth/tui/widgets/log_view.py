"""The log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainhealth.tui.lines import Line
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.widgets.scrolling import Scrolling
from trainhealth.tui.widgets.search_line import open_search

if TYPE_CHECKING:
    from trainhealth.tui.neighbours import Neighbours


class LogView(Scrolling):
    """Shows the settings beside those of another run, the machine, and the records around what is searched for."""

    def __init__(self) -> None:
        super().__init__(id="log")
        self._neighbours: Neighbours | None = None
        self._other = 0  # which of the neighbours stands beside this run; -1: none
        self._wish = ""
        self._wanted = 0  # the line at which the wanted record stands

    def compose_lines(self, snapshot: Snapshot, width: int) -> list[Line]:
        """Return the view's lines."""
        # the comparison of settings loads the readers, which the first frame does without
        from trainhealth.tui.log_page import log_file, log_page, wished
        from trainhealth.tui.neighbours import Neighbours
        from trainhealth.tui.raw_lines import RawLines, raw_lines

        path = Path(snapshot.path)
        if self._neighbours is None or self._neighbours.path != path:  # another run has been opened
            self._neighbours, self._other, self._wish = Neighbours(path), 0, ""
        rank, wish = wished(self._wish)
        file = log_file(path, rank)
        raw = raw_lines(file, wish) if file else RawLines()
        other = self._neighbours.info(self._other) if self._other >= 0 else None
        lines, self._wanted = log_page(snapshot, other, raw, self._wish, width, self.size.height, self.look)
        return lines

    def move(self, by: int) -> None:
        """Scroll by lines."""
        self.scroll_relative(y=by, animate=False)

    def scroll_pages(self, by: int) -> None:
        """Scroll by what can be seen at once."""
        self.scroll_relative(y=by * self.size.height, animate=False)

    def turn(self, by: int) -> None:
        """Put another run's settings beside this one's, or none."""
        choices = len(self._neighbours or ()) + 1
        self._other = (self._other + 1 + by) % choices - 1
        self.redraw()

    def search(self) -> None:
        """Ask for a step or for words, and show the records around them."""

        def look_for(words: str) -> None:
            self._wish = words.strip()
            self.redraw()
            if self._wanted:
                self.reveal(max(self._wanted - self.size.height // 2, 0), self._wanted)

        open_search(self.screen, self._wish, "a step, words of a record, or rank 1", look_for)
