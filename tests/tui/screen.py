"""A dashboard without a terminal, and what can be read on its screen."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from tests.tui.cases import run
from trainhealth.tui.app import Dashboard
from trainhealth.tui.dashboard_screen import DashboardScreen
from trainhealth.tui.look import Look
from trainhealth.tui.replay import Replay
from trainhealth.tui.replay_screen import ReplayScreen
from trainhealth.tui.snapshot import Snapshot

SIZES = ((80, 24), (120, 40), (200, 60))

CELL = 12.2  # the width of a cell in the picture
_TEXT = re.compile(r'<text[^>]* x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>')


@asynccontextmanager
async def opened(
    shown: Snapshot | None = None,
    size: tuple[int, int] = (80, 24),
    look: Look | None = None,
    keymap: Mapping[str, str] | None = None,
) -> AsyncIterator[Pilot[None]]:
    """Open a dashboard that follows nothing, and post one snapshot to it."""
    app = Dashboard(Path(shown.path if shown else "runs/baseline"), look or Look(), lambda post: lambda: None, keymap)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        if shown is not None:
            await post(pilot, shown)
        yield pilot


class Clock:
    """A clock that goes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def replayed(size: tuple[int, int] = (80, 24), look: Look | None = None) -> AsyncIterator[Pilot[None]]:
    """Open a dashboard that plays a run of a hundred steps again; it stands at the first step."""
    replay = Replay("runs/baseline", run(), {}, 1.0, clock=Clock())
    screen = ReplayScreen(Path("runs/baseline"), replay)
    app = Dashboard(Path("runs/baseline"), look or Look(), lambda post: lambda: None, screen=screen)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await turned(pilot)
        yield pilot


async def turned(pilot: Pilot[None]) -> None:
    """Show the replay's next snapshot."""
    shown = replay_of(pilot).turn()
    assert shown is not None
    await post(pilot, shown)


def replay_of(pilot: Pilot[None]) -> Replay:
    """Return what a dashboard plays again."""
    screen = main_screen(pilot)
    assert isinstance(screen, ReplayScreen)
    return screen.replay


async def post(pilot: Pilot[None], shown: Snapshot) -> None:
    """Post a snapshot and wait until it is drawn."""
    dashboard(pilot).post(shown)
    await pilot.pause()
    await pilot.pause()


def dashboard(pilot: Pilot[None]) -> Dashboard:
    """Return the app, as the type that it is."""
    app = pilot.app
    assert isinstance(app, Dashboard)
    return app


def main_screen(pilot: Pilot[None]) -> DashboardScreen:
    """Return the dashboard's screen, be it below a page."""
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, DashboardScreen))


def said(pilot: Pilot[None]) -> list[str]:
    """Return the words that have come up over the screen, in their order."""
    return [notification.message for notification in pilot.app._notifications]


def screen_text(pilot: Pilot[None]) -> str:
    """Return the rows of the screen as text, from Textual's own picture of it."""
    rows: dict[float, str] = {}
    _, _, picture = pilot.app.export_screenshot(simplify=False).rpartition('<g class="')
    for x, y, text in sorted(_TEXT.findall(picture), key=lambda found: float(found[0])):
        row = rows.get(float(y), "").ljust(round(float(x) / CELL))
        rows[float(y)] = row + html.unescape(text).replace("\N{NO-BREAK SPACE}", " ")
    return "\n".join(row.rstrip() for _, row in sorted(rows.items()))
