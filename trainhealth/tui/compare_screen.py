"""The page on which two runs are compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from trainhealth.comparison import Comparison
from trainhealth.tui.commands import COMPARE, bindings
from trainhealth.tui.compare_page import compare_opened, compare_page
from trainhealth.tui.lines import Line, Span, line
from trainhealth.tui.look import Look
from trainhealth.tui.page import Page
from trainhealth.tui.runs_csv import comparison_csv
from trainhealth.tui.runs_overlay import Overlaid
from trainhealth.tui.runs_row import Opened, RunsSnapshot
from trainhealth.tui.snapshot import Snapshot


class ComparePage(Page):
    """The second of two runs against the first one; the page follows both."""

    BINDINGS = bindings(COMPARE)

    def __init__(self, snapshot: RunsSnapshot, colours: Mapping[str, int], look: Look) -> None:
        super().__init__("Compare", Snapshot(snapshot.folder), lambda _, width: self._lines(width))
        self.add_class("-full")
        self.hint = "e export, esc"
        self._runs, self._colours, self._look = snapshot, dict(colours), look
        self._opened: tuple[Opened, ...] = ()  # that `_compared` is about
        self._compared: Comparison | None = None

    def receive_runs(self, snapshot: RunsSnapshot) -> None:
        """Show a new snapshot of the folder."""
        self._runs = snapshot
        self.receive(self.shown)

    def csv(self) -> str:
        """Return what differs, as a table."""
        return comparison_csv(self._compared) if self._compared is not None else ""

    def action_export(self) -> None:
        """Choose what to keep of the comparison."""
        from trainhealth.tui.export_menu import open_export_menu  # it loads the reports

        open_export_menu(self, "-against-".join(Path(path).name for path in reversed(self._colours)))

    def _lines(self, width: int) -> list[Line]:
        rows = {row.path: row for row in self._runs.rows}
        known = [path for path in self._colours if path in rows and path in self._runs.opened]
        if len(known) < len(self._colours):
            return [line(Span("reading the runs …", "label"))]
        opened = tuple(self._runs.opened[path] for path in known)
        if self._compared is None or opened != self._opened:
            self._compared, self._opened = compare_opened(*opened), opened
        before, after = (Overlaid(rows[path], self._runs.opened[path].view, self._colours[path]) for path in known)
        return compare_page(self._compared, (before, after), width, self._look)
