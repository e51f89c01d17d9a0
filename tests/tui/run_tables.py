"""A table of runs without files: what it shows is posted, and what it asks for is noted."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from tests.tui.cases import HEALTHY, SICK, run
from trainhealth.records import RunInfo
from trainhealth.series import RunView
from trainhealth.tui.app import Dashboard, Post, follow_nothing
from trainhealth.tui.look import Look
from trainhealth.tui.runs_reading import Wish
from trainhealth.tui.runs_row import Depth, Opened, Result, RunRow, RunsSnapshot
from trainhealth.tui.runs_screen import RunsScreen
from trainhealth.tui.snapshot import Condition, State

NOW = 1_000_000.0
COUNT = 40

SLOWER = run([3.0 - step / 100 for step in range(100)])


def row(number: int) -> RunRow:
    """Return run number so and so, which has ended some minutes before the one before it; every third is sick."""
    sick = number % 3 == 0
    return RunRow(
        f"runs/run-{number:02}", f"run-{number:02}", Condition(State.ENDED), Depth.READ, NOW - 60 * number, 99, 1,
        2.0 - number / 100, Result("validation_accuracy", 0.5 + number / 100),
        RunInfo(hyperparameters={"learning_rate": number / 100}), SICK.findings if sick else (), judged=True,
    )  # fmt: skip


def runs(**more: object) -> RunsSnapshot:
    """Return a folder of many runs; the curves of all of them have been read."""
    rows = tuple(row(number) for number in range(COUNT))
    views: tuple[RunView, ...] = (run(), SLOWER)
    opened = {
        one.path: Opened(dataclasses.replace(views[number % 2], path=one.path), SICK if number % 3 == 0 else HEALTHY)
        for number, one in enumerate(rows)
    }
    return dataclasses.replace(RunsSnapshot("runs", rows, opened, NOW, listed=True), **more)  # type: ignore[arg-type]  # fields of it


class Followed:
    """What a table has asked for."""

    def __init__(self) -> None:
        self.wishes: list[Wish] = []
        self.following = False
        self.runs: list[str] = []  # that were opened, and that are followed no longer with a minus before them

    def wish(self) -> Wish:
        """Return the last wish."""
        return self.wishes[-1]

    def runs_of(self, post: Callable[[RunsSnapshot], None]) -> tuple[Callable[[Wish], None], Callable[[], None]]:
        """Follow the folder."""
        self.following = True

        def stop() -> None:
            self.following = False

        return self.wishes.append, stop

    def run(self, path: Path) -> Callable[[Post], Callable[[], None]]:
        """Follow a run."""

        def follow(post: Post) -> Callable[[], None]:
            self.runs.append(path.name)
            return lambda: self.runs.append(f"-{path.name}")

        return follow


@asynccontextmanager
async def opened_table(
    shown: RunsSnapshot | None = None,
    size: tuple[int, int] = (80, 24),
    look: Look | None = None,
    followed: Followed | None = None,
) -> AsyncIterator[Pilot[None]]:
    """Open the table of a folder, and show one snapshot of it: by default, of many runs."""
    followed = followed or Followed()
    table = RunsScreen(Path("runs"), followed.runs_of)
    folder = Path("runs")
    app = Dashboard(folder, look or Look(), follow_nothing(folder), table=table, follow_run=followed.run)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await post_runs(pilot, runs() if shown is None else shown)
        yield pilot


async def post_runs(pilot: Pilot[None], shown: RunsSnapshot) -> None:
    """Post a snapshot of the folder and wait until it is drawn."""
    table(pilot).post_message(RunsScreen.Arrived(shown))
    await pilot.pause()
    await pilot.pause()


def table(pilot: Pilot[None]) -> RunsScreen:
    """Return the table's screen, be it below another one."""
    screen = pilot.app.get_screen("runs")
    assert isinstance(screen, RunsScreen)
    return screen
