"""A dashboard without a terminal, and what can be read on its screen."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from trainhealth.tui.app import Dashboard
from trainhealth.tui.dashboard_screen import DashboardScreen
from trainhealth.tui.look import Look
from trainhealth.tui.snapshot import Snapshot

SIZES = ((80, 24), (120, 40), (200, 60))

CELL = 12.2  # the width of a cell in the picture
_TEXT = re.compile(r'<text[^>]* x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>')


@asynccontextmanager
async def opened(
    shown: Snapshot | None = None, size: tuple[int, int] = (80, 24), look: Look | None = None
) -> AsyncIterator[Pilot[None]]:
    """Open a dashboard that follows nothing, and post one snapshot to it."""
    app = Dashboard(Path("runs/baseline"), look or Look(), lambda post: lambda: None)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        if shown is not None:
            await post(pilot, shown)
        yield pilot


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


def screen_text(pilot: Pilot[None]) -> str:
    """Return the rows of the screen as text, from Textual's own picture of it."""
    rows: dict[float, str] = {}
    _, _, picture = pilot.app.export_screenshot(simplify=False).rpartition('<g class="')
    for x, y, text in sorted(_TEXT.findall(picture), key=lambda found: float(found[0])):
        row = rows.get(float(y), "").ljust(round(float(x) / CELL))
        rows[float(y)] = row + html.unescape(text).replace("\N{NO-BREAK SPACE}", " ")
    return "\n".join(row.rstrip() for _, row in sorted(rows.items()))
