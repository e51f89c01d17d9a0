"""The application around the dashboard's screen: snapshots come in, signals and failures end it decently."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeAlias

from textual.app import App, SystemCommand
from textual.message import Message
from textual.screen import Screen

from trainhealth.tui.commands import ANYWHERE, DASHBOARD, bindings
from trainhealth.tui.dashboard_screen import DashboardScreen
from trainhealth.tui.endings import on_ending
from trainhealth.tui.failures import failure_text, record_failure
from trainhealth.tui.look import Glyphs, Look, choose_look
from trainhealth.tui.page import Page
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.theme import THEME

Post: TypeAlias = Callable[[Snapshot], None]
Follow: TypeAlias = Callable[[Post], Callable[[], None]]

FAILED = 70  # the exit code where the dashboard itself has failed (EX_SOFTWARE)
_OF_TEXTUAL = ("Theme", "Screenshot")  # its commands that the palette keeps


class Dashboard(App[None]):
    """Shows the snapshots that are posted to it.

    When the first frame stands, it calls `follow` with the function to post snapshots with (from any thread); what
    `follow` returns is called at the end.
    """

    CSS_PATH = Path(__file__).with_name("dashboard.tcss")
    TITLE = "trainhealth"
    BINDINGS: ClassVar = bindings(ANYWHERE, priority=True)

    class Arrived(Message):
        """A new snapshot."""

        def __init__(self, snapshot: Snapshot) -> None:
            super().__init__()
            self.snapshot = snapshot

    def __init__(self, path: Path, look: Look, follow: Follow) -> None:
        # without colours Textual would still draw in greys; NO_COLOR asks for the terminal's own two colours
        super().__init__(ansi_color=None if look.colour else True)
        self.path, self.look = path, look
        self.set_class(look.glyphs is Glyphs.ASCII, "-ascii", update=False)
        self.set_class(not look.colour, "-plain", update=False)
        self.failure: str | None = None  # what to tell the user where the dashboard itself has failed
        self._follow = follow
        self._unfollow: Callable[[], None] = lambda: None
        self._put_back: Callable[[], None] = lambda: None  # the signal handlers
        self.register_theme(THEME)
        if not os.environ.get("TEXTUAL_THEME"):
            # `self.theme = …` would have the style sheet parsed a second time, which takes 25 ms of the first frame
            self.set_reactive(App.theme, THEME.name)
            self.stylesheet.set_variables(self.get_css_variables())

    def get_default_screen(self) -> Screen[None]:
        """Return the dashboard; it has nothing to show yet."""
        return DashboardScreen(Snapshot(str(self.path)))

    def on_mount(self) -> None:
        """Get ready to end when told from outside, and follow the run once the first frame stands."""
        loop = asyncio.get_running_loop()

        def leave(code: int) -> None:
            loop.call_soon_threadsafe(partial(self.exit, return_code=code))

        self._put_back = on_ending(leave)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self._unfollow = self._follow(self.post)

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
        for screen in self.screen_stack:
            if isinstance(screen, DashboardScreen) or (isinstance(screen, Page) and not self._dashboard.paused):
                screen.receive(message.snapshot)

    @property
    def _dashboard(self) -> DashboardScreen:
        return next(screen for screen in self.screen_stack if isinstance(screen, DashboardScreen))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield every action of the dashboard for the command palette."""
        for command in DASHBOARD:
            run = partial(self.run_action, command.action, default_namespace=self._dashboard)
            yield SystemCommand(command.label, f"{command.meaning} ({command.shown})", run)
        yield from (known for known in super().get_system_commands(screen) if known.title in _OF_TEXTUAL)

    def _fatal_error(self) -> None:
        """End without a traceback on the user's terminal: a file has it, and the caller of `run` says where."""
        error = sys.exc_info()[1] or self._exception
        if error is not None:
            self.failure = failure_text(error, record_failure(error))
            self._return_code = FAILED
        self._close_messages_no_wait()


def run_dashboard(run: Path, look: Look | None = None) -> int:
    """Show the dashboard of `run` in this terminal until the user leaves; return the exit code for the process."""

    def follow(post: Post) -> Callable[[], None]:
        # only now: the first frame stands already
        from trainhealth.tui.feed import Feed
        from trainhealth.tui.reading import Reading

        feed = Feed(Reading(run), post)
        feed.start()
        return feed.stop

    dashboard = Dashboard(run, look or choose_look(None, sys.stderr.encoding, os.environ), follow)
    dashboard.run()
    if dashboard.failure is not None:
        sys.stderr.write(f"error: {dashboard.failure}\n")
    return dashboard.return_code or 0
