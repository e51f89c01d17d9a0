"""The table of the runs in a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, TypeAlias

from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer

from trainhealth.tui.commands import RUNS, Command, bindings
from trainhealth.tui.compare_screen import ComparePage
from trainhealth.tui.help_page import help_page
from trainhealth.tui.lines import Line
from trainhealth.tui.navigation import OpenRun
from trainhealth.tui.overlay_screen import OverlayScreen
from trainhealth.tui.page import Page
from trainhealth.tui.run_colours import COLOURS
from trainhealth.tui.runs_feed import RunsFeed
from trainhealth.tui.runs_order import ORDERS
from trainhealth.tui.runs_preview import CHART_FROM, preview_lines
from trainhealth.tui.runs_reading import RunsReading, Wish
from trainhealth.tui.runs_row import Depth, RunsSnapshot
from trainhealth.tui.runs_table import title_lines
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.widgets.painting import ROLES
from trainhealth.tui.widgets.panel import Panel
from trainhealth.tui.widgets.runs_table_view import RunsTable
from trainhealth.tui.widgets.search_line import open_search

# Follows a folder: gets the function to post snapshots with; returns how to say what is looked at, and how to stop.
FollowRuns: TypeAlias = Callable[[Callable[[RunsSnapshot], None]], tuple[Callable[[Wish], None], Callable[[], None]]]


def follow_runs(folder: Path, names: Mapping[str, str] | None = None) -> FollowRuns:
    """Return how the runs below `folder` are followed; what has been read is kept while nobody looks."""
    reading = RunsReading(folder, names)

    def follow(post: Callable[[RunsSnapshot], None]) -> tuple[Callable[[Wish], None], Callable[[], None]]:
        feed = RunsFeed(reading, post)
        feed.start()
        return feed.want, feed.stop

    return follow


class RunsScreen(Screen[None]):
    """A table, and the selected run below it. It follows the folder from when it is shown until a run is opened."""

    BINDINGS = bindings(RUNS)
    commands: ClassVar[tuple[Command, ...]] = RUNS  # what the command palette offers
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLES)
    VERTICAL_BREAKPOINTS = [(0, "-low"), (16, "-short"), (32, "-tall"), (50, "-huge")]  # noqa: RUF012  # as Textual declares it

    class Arrived(Message):
        """A new snapshot of the folder."""

        def __init__(self, snapshot: RunsSnapshot) -> None:
            super().__init__()
            self.snapshot = snapshot

    def __init__(self, folder: Path, follow: FollowRuns) -> None:
        super().__init__()
        self.shown = RunsSnapshot(str(folder))
        self._follow = follow
        self._beside: tuple[str, ...] = ()  # the runs that are compared in what has been opened over the table
        self._want: Callable[[Wish], None] | None = None  # None while it does not follow
        self._unfollow: Callable[[], None] = lambda: None

    def compose(self) -> ComposeResult:
        """Lay out the widgets."""
        yield Panel("runs-title", self._title)
        yield RunsTable()
        yield Panel("preview", self._preview)
        yield Footer(show_command_palette=False)

    def on_screen_resume(self) -> None:
        """Follow the folder once the first frame stands; what has been muted meanwhile is gone from the table."""
        self._beside = ()
        self._show()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        if self._want is None:
            self._want, self._unfollow = self._follow(self._post)
        self._wish()

    def _post(self, snapshot: RunsSnapshot) -> None:
        with suppress(RuntimeError):  # the event loop is closed
            self.post_message(self.Arrived(snapshot))

    def rest(self) -> None:
        """Read nothing for a table that nobody sees."""
        self._unfollow()
        self._want = None

    def on_unmount(self) -> None:
        """Stop following."""
        self.rest()

    def on_runs_screen_arrived(self, message: Arrived) -> None:
        """Show a new snapshot, here and in what has been opened over the table."""
        self.shown = message.snapshot
        self._show()
        for screen in self.app.screen_stack:
            if isinstance(screen, OverlayScreen):
                screen.receive(self._unmuted)
            elif isinstance(screen, ComparePage):
                screen.receive_runs(self._unmuted)

    def _show(self) -> None:
        self._table.show(self._unmuted)

    @property
    def _unmuted(self) -> RunsSnapshot:
        """What is shown, without the findings that are muted."""
        return self._table.dashboard.muting.applied_to_runs(self.shown)

    @property
    def _table(self) -> RunsTable:
        return self.query_one(RunsTable)

    def _title(self, width: int, height: int) -> list[Line]:
        return title_lines(self.shown, len(self._table.rows), self._table.words, width)

    def _preview(self, width: int, height: int) -> list[Line]:
        row = self._table.selected
        if row is None:
            return []
        return preview_lines(row, self.shown.opened.get(row.path), self.shown.time, width, height, self._table.look)

    def on_runs_table_moved(self) -> None:
        """Show the selected run, and have read what is on the screen now."""
        for panel in self.query(Panel):
            panel.redraw()
        self._wish()

    def _wish(self) -> None:
        if self._want is None:
            return
        if self._beside:
            self._want(Wish(held=self._beside))
            return
        table, size = self._table, self.query_one("#preview").size
        everywhere = Depth.READ if table.words else table.order.depth
        charted = size.width >= CHART_FROM[0] and size.height >= CHART_FROM[1]
        held = (table.selected.path,) if table.selected is not None and charted else ()
        self._want(Wish(table.in_sight, held, everywhere))

    def on_runs_table_opened(self) -> None:
        """Open the run that was clicked."""
        self.action_open()

    # --- actions, in the order of `commands.RUNS` ---

    def action_open(self) -> None:
        """Show the selected run."""
        if (row := self._table.selected) is not None:
            self.post_message(OpenRun(row.path))

    def _compare(self, most: int) -> dict[str, int]:
        """Return the runs to be compared with their colours; where one is chosen, it is compared with the selected one.

        Empty where there are none to be compared.
        """
        chosen = self._table.chosen_with_selected()
        if not 2 <= len(chosen) <= most:
            many = "two" if most == 2 else "at least two"
            self.notify(f"Choose {many} runs with the space bar, or one and select another.", timeout=4)
            return {}
        self._beside = tuple(chosen)
        self._wish()
        return chosen

    def action_help(self) -> None:
        """Show the help."""
        keymap = self._table.dashboard.keymap
        self.app.push_screen(Page("Help", Snapshot(self.shown.folder), lambda _, width: help_page(width, keymap)))

    def action_choose(self) -> None:
        """Choose the selected run for comparing, or no longer."""
        if not self._table.choose():
            self.notify("Eight runs are chosen, and more colours can't be told apart; x chooses none.", timeout=4)

    def action_overlay(self) -> None:
        """Show the chosen runs in one chart."""
        if chosen := self._compare(COLOURS):
            self.app.push_screen(OverlayScreen(self._unmuted, chosen))

    def action_compare(self) -> None:
        """Show what differs between the two chosen runs."""
        if chosen := self._compare(2):
            self.app.push_screen(ComparePage(self._unmuted, chosen, self._table.look))

    def action_clear(self) -> None:
        """Choose no run."""
        self._table.clear()

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._table.sort(ORDERS[(ORDERS.index(self._table.order) + 1) % len(ORDERS)])

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self._table.sort(self._table.order, reverse=not self._table.reverse)

    def action_filter(self) -> None:
        """Ask for words, and show the runs in which they occur."""
        hint = "name, state, finding or setting=value; -word leaves out"
        open_search(self._table.screen, self._table.words, hint, self._table.filter)

    def action_move(self, by: int) -> None:
        """Select another run."""
        self._table.move(by)

    def action_page(self, by: int) -> None:
        """Select the run a page further."""
        self._table.move_pages(by)

    def action_edge(self, direction: int) -> None:
        """Select the first or the last run."""
        self._table.move(direction * 1_000_000)

    def action_export(self) -> None:
        """Choose what to keep of the table."""
        from trainhealth.tui.export_menu import open_export_menu  # the first frame does without the reports

        open_export_menu(self, f"{Path(self.shown.folder).name}-runs")

    def action_back(self) -> None:
        """Show all runs again; where all are shown, go back to the run that was open before."""
        if self._table.words:
            self._table.filter("")
        elif not self._table.dashboard.navigation.leave_table():
            self.notify("Press enter to open the selected run, q to leave.", timeout=3)
