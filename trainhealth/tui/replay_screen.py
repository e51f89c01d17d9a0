"""The dashboard of a run that is played again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from textual.events import Click
from textual.widgets import Footer

from trainhealth.config import load_config
from trainhealth.diagnosis import load
from trainhealth.tui.app import Dashboard, Post, run_app
from trainhealth.tui.commands import DASHBOARD, REPLAY, Command, bindings
from trainhealth.tui.dashboard_screen import DashboardScreen
from trainhealth.tui.feed import Feed
from trainhealth.tui.keymap import load_keymap
from trainhealth.tui.lines import Line
from trainhealth.tui.look import Look
from trainhealth.tui.replay import Replay
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.time_bar import time_bar, time_of_day
from trainhealth.tui.widgets.drawing import Drawing


class TimeBar(Drawing):
    """Shows where the replay is; a click goes elsewhere."""

    def __init__(self, replay: Replay) -> None:
        super().__init__(id="time-bar")
        self._replay = replay
        self._bar = range(0)  # its columns

    def draw(self, snapshot: Snapshot, width: int, height: int) -> list[Line]:
        """Return the bar."""
        times = snapshot.view.times
        clock = time_of_day(float(times.values[-1])) if len(times) else ""
        place = self._replay.place
        drawn, self._bar = time_bar(self._replay.timeline, place, snapshot.findings, clock, width)
        return [drawn]

    def on_click(self, event: Click) -> None:
        """Go to where the bar was clicked."""
        if event.x in self._bar:
            self._replay.seek(self._bar.index(event.x) / max(len(self._bar) - 1, 1))
            self.redraw()


class ReplayScreen(DashboardScreen):
    """The dashboard, with a bar of time above the footer; what pauses elsewhere stops the replay here."""

    BINDINGS = bindings(REPLAY)
    commands: ClassVar[tuple[Command, ...]] = (*DASHBOARD, *REPLAY)

    def __init__(self, path: Path, replay: Replay) -> None:
        super().__init__(Snapshot(str(path)))
        self.replay = replay

    def on_mount(self) -> None:
        """Put the bar above the footer."""
        bar = TimeBar(self.replay)
        bar.show(self.shown)
        self.mount(bar, before=self.query_one(Footer))

    # --- actions, in the order of `commands.REPLAY` ---

    def action_pause(self) -> None:
        """Stop the replay, or go on."""
        self.replay.play()
        self._bar.redraw()

    def action_faster(self, by: int) -> None:
        """Play faster, or more slowly."""
        self.replay.faster(by)
        self._bar.redraw()

    def action_step(self, by: int) -> None:
        """Go one step forward or back."""
        self.replay.step(by)
        self._bar.redraw()

    def action_seek(self, share: int) -> None:
        """Go to the beginning or the end."""
        self.replay.seek(share)
        self._bar.redraw()

    @property
    def _bar(self) -> TimeBar:
        return self.query_one(TimeBar)


def run_replay(path: Path, look: Look, names: Mapping[str, str] | None, speed: float | None) -> int:
    """Play the run at `path` again in this terminal until the user leaves; return the exit code for the process.

    Raises:
        LogError: the run can't be read.
    """
    replay = Replay(str(path), load(path, names=names).view, load_config().rules, speed)
    screen = ReplayScreen(path, replay)

    def follow(post: Post) -> Callable[[], None]:
        feed = Feed(replay, post, share=1.0)  # no job beside it has to be spared
        feed.start()
        return feed.stop

    return run_app(Dashboard(path, look, follow, load_keymap(load_config().keys), screen=screen))
