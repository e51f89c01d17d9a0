"""The application around the dashboard's screen: snapshots come in, signals and failures end it decently."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from textual.app import App, SystemCommand
from textual.message import Message
from textual.screen import Screen

from trainhealth.config import load_config
from trainhealth.findings import Finding
from trainhealth.tui.alerting import Alerting
from trainhealth.tui.commands import ANYWHERE, bindings
from trainhealth.tui.dashboard_screen import DashboardScreen
from trainhealth.tui.endings import on_ending
from trainhealth.tui.failures import failure_text, record_failure
from trainhealth.tui.keymap import load_keymap, shown_keys
from trainhealth.tui.look import Glyphs, Look, choose_look
from trainhealth.tui.memory import Memory
from trainhealth.tui.muting import Muting
from trainhealth.tui.navigation import Navigation, OpenRun
from trainhealth.tui.page import Page
from trainhealth.tui.run_colours import run_variables
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.theme import STRENGTHS, THEMES, remember_theme, remembered_theme, theme_after

if TYPE_CHECKING:
    from trainhealth.tui.runs_screen import RunsScreen

Post: TypeAlias = Callable[[Snapshot], None]
Follow: TypeAlias = Callable[[Post], Callable[[], None]]

FAILED = 70  # the exit code where the dashboard itself has failed (EX_SOFTWARE)
_OF_TEXTUAL = ("Theme", "Screenshot")  # its commands that the palette keeps


def follow_nothing(run: Path) -> Follow:
    """Return how no run is followed."""
    return lambda post: lambda: None


class Dashboard(App[None]):
    """Shows the snapshots that are posted to it.

    When the first frame stands, it calls `follow` with the function to post snapshots with (from any thread); what
    `follow` returns is called at the end. `follow_run` does so for runs that are opened later.
    """

    CSS_PATH = Path(__file__).with_name("dashboard.tcss")
    TITLE = "trainhealth"
    BINDINGS: ClassVar = bindings(ANYWHERE, priority=True)

    class Arrived(Message):
        """A new snapshot."""

        def __init__(self, snapshot: Snapshot) -> None:
            super().__init__()
            self.snapshot = snapshot

    def __init__(
        self,
        path: Path,
        look: Look,
        follow: Follow,
        keymap: Mapping[str, str] | None = None,
        *,
        screen: Screen[None] | None = None,
        table: RunsScreen | None = None,
        follow_run: Callable[[Path], Follow] = follow_nothing,
        alerts: tuple[str, ...] = (),
    ) -> None:
        # without colours Textual would still draw in greys; NO_COLOR asks for the terminal's own two colours
        super().__init__(ansi_color=None if look.colour else True)
        self.path, self.look = path, look
        self.set_class(look.glyphs is Glyphs.ASCII, "-ascii", update=False)
        self.set_class(not look.colour, "-plain", update=False)
        self.failure: str | None = None  # what to tell the user where the dashboard itself has failed
        self.follow_first, self._first_screen = follow, screen or table
        self._unfollow: Callable[[], None] = lambda: None
        self._put_back: Callable[[], None] = lambda: None  # the signal handlers
        self.keymap = keymap or {}
        self.memory = Memory.beside(path)
        self.muting = Muting()
        self.alerting = Alerting(self, alerts)
        self.navigation = Navigation(self, follow_run, table)
        for theme in THEMES:
            self.register_theme(theme)
        if not os.environ.get("TEXTUAL_THEME"):
            # `self.theme = …` would have the style sheet parsed a second time, which takes 25 ms of the first frame
            self.set_reactive(App.theme, remembered_theme(self.available_themes))
            self.stylesheet.set_variables(self.get_css_variables())

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return the variables of our style sheet that other people's themes do not have."""
        return STRENGTHS | run_variables(dark=self.current_theme.dark)

    def get_default_screen(self) -> Screen[None]:
        """Return the dashboard; it has nothing to show yet."""
        return self._first_screen or DashboardScreen(Snapshot(str(self.path)))

    def on_mount(self) -> None:
        """Get ready to end when told from outside, and follow the run once the first frame stands."""
        loop = asyncio.get_running_loop()

        def leave(code: int) -> None:
            loop.call_soon_threadsafe(partial(self.exit, return_code=code))

        self._put_back = on_ending(leave)
        self.set_keymap(dict(self.keymap))
        self.theme_changed_signal.subscribe(self, remember_theme)
        self.call_after_refresh(self._begin)

    def action_next_theme(self) -> None:
        """Show the next of our themes."""
        self.theme = theme_after(self.theme)
        self.notify(f"Theme: {self.theme}", timeout=2)

    def _begin(self) -> None:
        gc.freeze()  # what has been imported stays: no collection need look at it
        gc.enable()  # (see `cli.live`)
        self._unfollow = self.follow_first(self.post)

    def follow_another(self, run: Path, follow: Follow | None) -> None:
        """Follow another run, None: no run; what still comes of the one before is not shown."""
        self._unfollow()
        self.path, self.memory = run, Memory.beside(run)
        self._unfollow = follow(self.post) if follow is not None else lambda: None

    def on_open_run(self, message: OpenRun) -> None:
        """Show a run of the table."""
        self.navigation.open(message.path)

    def action_runs(self) -> None:
        """Show the table of runs."""
        self.navigation.show_table()

    def on_unmount(self) -> None:
        """Stop following."""
        self._unfollow()
        self._put_back()

    def post(self, snapshot: Snapshot) -> None:
        """Show a snapshot soon; may be called from any thread, also when the dashboard has just ended."""
        with suppress(RuntimeError):  # the event loop is closed
            self.post_message(self.Arrived(snapshot))

    def on_dashboard_arrived(self, message: Arrived) -> None:
        """Hand the snapshot to the dashboard and to the pages over it, which a pause freezes too."""
        there = any(isinstance(screen, DashboardScreen) for screen in self.screen_stack)
        if not there or message.snapshot.path != str(self.path):
            return  # the screens are being taken down; or it is of a run that was open before
        snapshot = self.muting.applied(message.snapshot)
        self.alerting.look_at(snapshot)
        dashboard = self._dashboard
        for screen in self.screen_stack:
            if screen is dashboard or (isinstance(screen, Page) and not dashboard.paused):
                screen.receive(snapshot)

    def mute(self, finding: Finding) -> None:
        """Mute a finding of the run that is shown, or show it again."""
        muted = self.muting.switch(self._dashboard.shown.path, finding.id)
        for screen in self.screen_stack:
            if isinstance(screen, DashboardScreen | Page):
                screen.remute(self.muting)
        self.notify(f"{finding.name} is {'muted for this run; M lists it' if muted else 'no longer muted'}.", timeout=4)

    @property
    def _dashboard(self) -> DashboardScreen:
        return next(screen for screen in reversed(self.screen_stack) if isinstance(screen, DashboardScreen))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield every action of the dashboard for the command palette."""
        owner = next(below for below in reversed(self.screen_stack) if hasattr(below, "commands"))
        for command in owner.commands:
            run = partial(self.run_action, command.action, default_namespace=owner)
            yield SystemCommand(command.label, f"{command.meaning} ({shown_keys(command, self.keymap)})", run)
        yield from (known for known in super().get_system_commands(screen) if known.title in _OF_TEXTUAL)

    def _fatal_error(self) -> None:
        """End without a traceback on the user's terminal: a file has it, and the caller of `run` says where."""
        error = sys.exc_info()[1] or self._exception
        if error is not None:
            self.failure = failure_text(error, record_failure(error))
            self._return_code = FAILED
        self._close_messages_no_wait()


def following(names: Mapping[str, str] | None = None) -> Callable[[Path], Follow]:
    """Return how any run is followed; `names` maps signals to the columns of a foreign log."""

    def follow_run(run: Path) -> Follow:
        def follow(post: Post) -> Callable[[], None]:
            # only now: the first frame stands already
            from trainhealth.tui.feed import Feed
            from trainhealth.tui.reading import Reading

            feed = Feed(Reading(run, names), post)
            feed.start()
            return feed.stop

        return follow

    return follow_run


def run_dashboard(
    run: Path, look: Look | None = None, names: Mapping[str, str] | None = None, alerts: tuple[str, ...] = ()
) -> int:
    """Show the dashboard of `run` in this terminal until the user leaves; return the exit code for the process.

    `names` maps signals to the columns of a foreign log; `alerts` are kinds, as `parse_alerts` returns them.
    """
    look = look or choose_look(None, sys.stderr.encoding, os.environ)
    follow_run = following(names)
    keymap = load_keymap(load_config().keys)
    return run_app(Dashboard(run, look, follow_run(run), keymap, follow_run=follow_run, alerts=alerts))


def run_table(folder: Path, look: Look, names: Mapping[str, str] | None = None, alerts: tuple[str, ...] = ()) -> int:
    """Show the table of the runs in `folder`; the rest is as for one run."""
    from trainhealth.tui.runs_screen import RunsScreen, follow_runs  # one run does without them

    table = RunsScreen(folder, follow_runs(folder, names))
    keymap = load_keymap(load_config().keys)
    follow, follow_run = follow_nothing(folder), following(names)
    return run_app(Dashboard(folder, look, follow, keymap, table=table, follow_run=follow_run, alerts=alerts))


def run_app(dashboard: Dashboard) -> int:
    """Run a dashboard until the user leaves; say so where it has failed, and return the exit code for the process."""
    dashboard.run()
    if dashboard.failure is not None:
        sys.stderr.write(f"error: {dashboard.failure}\n")
    return dashboard.return_code or 0
