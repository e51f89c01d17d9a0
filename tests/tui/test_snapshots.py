"""The screens, line by line: what people see is in ``snapshots/``, one file a screen and size.

Every state at 80x24, 120x40 and 200x60, in the dark theme, in a light one, which changes no character and is held
against the files of the dark one, and in ASCII. Views and pages at 80x24, those that use the room at 120x40 too. After
a change that is meant, write the files again and look at the difference with your eyes:

    rm -r tests/tui/snapshots
    TRAINHEALTH_WRITE_SNAPSHOTS=1 python -m pytest tests/tui/test_snapshots.py; git diff tests/tui/snapshots
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.color import Color
from textual.pilot import Pilot
from textual.widgets import Footer

from tests.tui.cases import HEALTHY, OTHER, STATES, run, snapshot
from tests.tui.run_tables import opened_table
from tests.tui.screen import SIZES, opened
from tests.tui.test_theme import contrast
from trainhealth.findings import Diagnosis, NotChecked
from trainhealth.tui.dashboard_screen import DashboardScreen
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.snapshot import Snapshot

FOLDER = Path(__file__).parent / "snapshots"
PATIENCE = 10.0  # seconds that a screen may take on a busy machine
WRITING = bool(os.environ.get("TRAINHEALTH_WRITE_SNAPSHOTS"))

NOTHING_CHECKED = Diagnosis(
    (), tuple(NotChecked("there are no steps yet", f"XX{n:02}", f"rule-{n}") for n in range(10))
)
TOO_EARLY = Diagnosis((), (NotChecked("there is only one step", "LS05", "flat-loss"),))
LONGER = snapshot(run([2.0] * 140), HEALTHY)
SHOWN: dict[str, Snapshot] = {
    "no file yet": STATES["no file yet"],
    "header only": snapshot(run([]), NOTHING_CHECKED),
    "one step": snapshot(run([2.3], epochs=[]), TOO_EARLY),
    "healthy": STATES["healthy"],
    "sick": snapshot(diagnosis=Diagnosis((OTHER,))),
    "critical": STATES["sick"],
    "paused": STATES["healthy"],
    "stalled": STATES["stalled"],
    "ended": STATES["ended"],
    "truncated": STATES["truncated"],
    "unknown format": STATES["unreadable"],
    "many layers": STATES["many layers"],
}
FAINTEST = 1.5  # the contrast of what is drawn to the side on purpose: guides, and a curve before it is smoothed

# What is opened over the overview of a sick run; the view is chosen each time, as it is remembered from the one before.
VIEWS = {
    "curves": "2",
    "curves with a cursor": "2 left left plus",
    "layers": "3",
    "layers in groups": "3 o",
    "a layer": "3 enter",
    "a finding": "1 enter",
    "not checked": "1 n",
    "exports": "1 e",
}
# what is opened over a table of runs
TABLES = {
    "many runs": "",
    "many runs, found": "slash r u n - 1 enter",
    "overlay": "space down space v",
    "compare": "space down space d",
}
VIEWS_AT: dict[tuple[int, int], Iterable[str]] = {SIZES[0]: VIEWS, SIZES[1]: ("curves", "layers", "a finding")}
TABLES_AT: dict[tuple[int, int], Iterable[str]] = {
    SIZES[0]: TABLES,
    SIZES[1]: ("many runs", "overlay"),
    SIZES[2]: ("many runs",),
}
each_size = pytest.mark.parametrize("size", SIZES, ids=["small", "usual", "large"])


class Album:
    """The pictures of one test: compared with the files, or written over them."""

    def __init__(self) -> None:
        self.differing: dict[str, str] = {}

    async def look(self, name: str, pilot: Pilot[None]) -> None:
        """Compare what is on the screen with its file: a busy machine gets some seconds to draw all of it."""
        width, height = pilot.app.size
        file = FOLDER / file_name(name, (width, height))
        if WRITING:
            FOLDER.mkdir(exist_ok=True)
            file.write_text(await drawn(pilot), encoding="utf-8")
            return
        expected = file.read_text(encoding="utf-8") if file.exists() else ""
        deadline = time.monotonic() + PATIENCE
        while (seen := await drawn(pilot)) != expected:
            if time.monotonic() > deadline:
                self.differing[file.name] = seen
                return
            # a modal screen paints what is behind it only when it is painted itself
            pilot.app.screen.refresh()
            await pilot.pause(0.05)

    def __str__(self) -> str:
        """Show the screens that are not as they were."""
        return "\n".join(f"{name}:\n{text}" for name, text in self.differing.items())


def file_name(name: str, size: tuple[int, int]) -> str:
    return f"{name.replace(', ', ' ').replace(' ', '-')}-{size[0]}x{size[1]}.txt"


async def drawn(pilot: Pilot[None]) -> str:
    """Return what is on the screen when it changes no more; a footer gets its keys after everything else."""
    before = ""
    while (now := rows(pilot)) != before or not all(footer.children for footer in pilot.app.screen.query(Footer)):
        before = now
        await pilot.pause()
    return now


def rows(pilot: Pilot[None]) -> str:
    """Return what is on the screen, blank rows too."""
    strips = pilot.app.screen._compositor.render_strips()
    return "".join(f"{strip.text.rstrip()}\n" for strip in strips)


@pytest.fixture
def album() -> Album:
    return Album()


@asynccontextmanager
async def on_a_new_screen(pilot: Pilot[None], shown: Snapshot) -> AsyncIterator[None]:
    """Show a snapshot as a dashboard does that has shown nothing else: that is quicker than another one."""
    await pilot.app.push_screen(DashboardScreen(shown))
    yield
    await pilot.app.pop_screen()


async def pressed(pilot: Pilot[None], keys: str) -> None:
    for key in keys.split():
        await pilot.press(key)


async def every_state(pilot: Pilot[None], names: Iterable[str], look: Callable[[str], Awaitable[None]]) -> None:
    for name in names:
        async with on_a_new_screen(pilot, SHOWN[name]):
            if name == "paused":
                await pilot.press("p")
                screen = pilot.app.screen
                assert isinstance(screen, DashboardScreen)
                screen.receive(LONGER)
            await look(name)


@each_size
async def test_every_state_looks_so(size: tuple[int, int], album: Album) -> None:
    """From before there is a file to a run of three hundred layers."""
    async with opened(size=size) as pilot:
        await every_state(pilot, SHOWN, lambda name: album.look(name, pilot))
    assert not album.differing, album


@each_size
async def test_in_ascii_every_state_looks_so(size: tuple[int, int], album: Album) -> None:
    """With the characters of any terminal and any font, and no others."""

    async def look(name: str) -> None:
        await album.look(f"{name} ascii", pilot)
        assert rows(pilot).isascii()

    async with opened(size=size, look=Look(Glyphs.ASCII)) as pilot:
        await every_state(pilot, SHOWN, look)
    assert not album.differing, album


async def test_without_colours_the_layers_have_glyphs(album: Album) -> None:
    """Where they could have none of the shades of a colour either."""
    async with opened(look=Look(Glyphs.ASCII, colour=False)) as pilot, on_a_new_screen(pilot, SHOWN["many layers"]):
        await pressed(pilot, "3 s")
        await album.look("layers ascii", pilot)
    assert not album.differing, album


@each_size
async def test_a_light_theme_shows_the_same_and_nothing_vanishes(size: tuple[int, int], album: Album) -> None:
    """Each character stands out from what it is drawn on."""

    async def look(name: str) -> None:
        await album.look(name, pilot)
        assert faintest(pilot) > FAINTEST

    async with opened(size=size) as pilot:
        pilot.app.theme = "trainhealth-light"
        await pilot.pause()
        await every_state(pilot, SHOWN, look)
    assert not album.differing, album


def faintest(pilot: Pilot[None]) -> float:
    """Return the least contrast of all characters on the screen."""
    return min(
        contrast(Color.from_rich_color(segment.style.color), Color.from_rich_color(segment.style.bgcolor))
        for strip in pilot.app.screen._compositor.render_strips()
        for segment in strip
        if segment.text.strip() and segment.style and segment.style.color and segment.style.bgcolor
    )


@pytest.mark.parametrize(("size", "names"), VIEWS_AT.items(), ids=["small", "usual"])
async def test_every_view_and_page_looks_so(size: tuple[int, int], names: Iterable[str], album: Album) -> None:
    """What opens over the overview of a sick run."""
    async with opened(size=size) as pilot:
        for name in names:
            async with on_a_new_screen(pilot, snapshot(run(layers=30))):
                await pressed(pilot, VIEWS[name])
                await album.look(name, pilot)
                while not isinstance(pilot.app.screen, DashboardScreen):
                    await pilot.press("escape")
    assert not album.differing, album


@pytest.mark.parametrize(("size", "names"), TABLES_AT.items(), ids=["small", "usual", "large"])
async def test_a_folder_of_runs_looks_so(size: tuple[int, int], names: Iterable[str], album: Album) -> None:
    """The table, and what opens over it; the table also in a light theme and in ASCII."""
    for name in names:
        async with opened_table(size=size) as pilot:
            await pressed(pilot, TABLES[name])
            await album.look(name, pilot)
            if name == "many runs":
                pilot.app.theme = "trainhealth-light"
                await album.look(name, pilot)
                assert faintest(pilot) > FAINTEST
    async with opened_table(size=size, look=Look(Glyphs.ASCII)) as pilot:
        await album.look("many runs ascii", pilot)
        assert rows(pilot).isascii()
    assert not album.differing, album


def test_no_picture_is_of_a_screen_that_is_no_more() -> None:
    """Each file is held against something by a test above."""
    expected = {file_name(name, size) for name in SHOWN for size in SIZES}
    expected |= {file_name(f"{name} ascii", size) for name in SHOWN for size in SIZES}
    expected |= {
        file_name(name, size) for shown in (VIEWS_AT, TABLES_AT) for size, names in shown.items() for name in names
    }
    expected |= {file_name("many runs ascii", size) for size in SIZES} | {file_name("layers ascii", SIZES[0])}
    assert {file.name for file in FOLDER.iterdir()} == expected
