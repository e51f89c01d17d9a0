"""The ways between the runs of a folder and the table of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message
from textual.screen import Screen

from trainhealth.tui.dashboard_screen import DashboardScreen
from trainhealth.tui.snapshot import Snapshot

if TYPE_CHECKING:
    from trainhealth.tui.app import Dashboard, Follow
    from trainhealth.tui.runs_screen import RunsScreen

TABLE = "runs"  # the table's name among the screens


class OpenRun(Message):
    """The user wants to see a run of the table."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path


class Navigation:
    """Keeps one table of runs, over the run that the dashboard began with or alone; other runs open over the table."""

    def __init__(self, app: Dashboard, follow_run: Callable[[Path], Follow], table: RunsScreen | None) -> None:
        self._app, self._follow_run = app, follow_run
        self._first = app.path  # the run that the dashboard began with
        self._table: RunsScreen | None = None
        if table is not None:
            self._keep(table)

    def _keep(self, table: RunsScreen) -> None:
        self._table = table
        self._app.install_screen(table, TABLE)  # it stays what it is while runs are opened from it

    def show_table(self) -> None:
        """Go back to the table; where there is none yet, show that of the runs beside the one that is open."""
        if self._table is None:
            from trainhealth.tui.runs_screen import RunsScreen, follow_runs  # the first frame does without

            folder = self._first.parent
            self._keep(RunsScreen(folder, follow_runs(folder)))
        assert self._table is not None  # it has just been made
        if self._table not in self._app.screen_stack:
            self._app.push_screen(self._table)
        elif self._close_all_above(self._table):
            self._app.follow_another(self._app.path, follow=None)

    def leave_table(self) -> bool:
        """Go back to the run that the dashboard began with; return whether it began with one."""
        first = self._app.screen_stack[0]
        if self._table is None or first is self._table:
            return False
        self._table.rest()
        self._close_all_above(first)
        if self._app.path != self._first:
            self._app.follow_another(self._first, self._app.follow_first)
        return True

    def open(self, path: str) -> None:
        """Show a run of the table; the one that the dashboard began with goes on where it was."""
        assert self._table is not None  # the run was chosen in it
        self._close_all_above(self._table)
        if Path(path) == self._first and self.leave_table():
            return
        self._table.rest()
        self._app.follow_another(Path(path), self._follow_run(Path(path)))
        self._app.push_screen(DashboardScreen(Snapshot(path)))

    def _close_all_above(self, screen: Screen[None]) -> bool:
        """Close what stands over a screen; return whether anything did."""
        above = self._app.screen_stack[self._app.screen_stack.index(screen) + 1 :]
        for _ in above:
            self._app.pop_screen()
        return bool(above)
