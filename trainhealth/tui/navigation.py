"""The ways between the runs of a folder and the table of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from trainhealth.tui.dashboard_screen import DashboardScreen
from trainhealth.tui.snapshot import Snapshot

if TYPE_CHECKING:
    from trainhealth.tui.app import Dashboard, Follow
    from trainhealth.tui.runs_screen import RunsScreen

TABLE = "runs"  # the table's name among the screens


class Navigation:
    """Keeps one table of runs and one open run; the table stands over the run, or alone before any was opened."""

    def __init__(self, app: Dashboard, follow_run: Callable[[Path], Follow], table: RunsScreen | None) -> None:
        self._app, self._follow_run = app, follow_run
        self._table: RunsScreen | None = None
        if table is not None:
            self._keep(table)

    def _keep(self, table: RunsScreen) -> None:
        self._table = table
        self._app.install_screen(table, TABLE)  # it stays what it is while runs are opened from it

    def show_table(self) -> None:
        """Show the table of the runs beside the open one."""
        if self._table is None:
            from trainhealth.tui.runs_screen import RunsScreen, follow_runs  # the first frame does without

            folder = self._app.path.parent
            self._keep(RunsScreen(folder, follow_runs(folder)))
        assert self._table is not None  # it has just been made
        if self._table not in self._app.screen_stack:
            self._app.push_screen(self._table)

    def leave_table(self) -> bool:
        """Go back to the open run; return whether there is one."""
        if len(self._app.screen_stack) == 1:
            return False
        self._close_all_but_one()
        return True

    def open(self, path: str) -> None:
        """Show a run; the one that is open goes on where it was."""
        self._close_all_but_one()
        if self._app.path != Path(path) or not isinstance(self._app.screen, DashboardScreen):
            self._app.follow_another(Path(path), self._follow_run(Path(path)))
            self._app.switch_screen(DashboardScreen(Snapshot(path)))

    def _close_all_but_one(self) -> None:
        if self._table is not None:
            self._table.rest()
        while len(self._app.screen_stack) > 1:
            self._app.pop_screen()
