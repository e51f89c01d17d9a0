"""The thread that follows a folder of runs."""

from __future__ import annotations

import queue
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.tui.run_folders import write_run
from trainhealth.tui import runs_reading
from trainhealth.tui.runs_feed import RunsFeed
from trainhealth.tui.runs_reading import RunsReading, Wish
from trainhealth.tui.runs_row import Depth, RunsSnapshot

PATIENCE = 20.0  # seconds; a snapshot comes within a fraction of one

pytestmark = pytest.mark.timeout(60)  # a feed that hears nothing still tells ages

Await = Callable[[Callable[[RunsSnapshot], bool]], RunsSnapshot]


@contextmanager
def feeding(folder: Path) -> Iterator[tuple[RunsFeed, Await]]:
    """Feed from `folder`; the second value waits for a snapshot of which something holds."""
    arrived: queue.Queue[RunsSnapshot] = queue.Queue()
    feed = RunsFeed(RunsReading(folder), arrived.put)

    def wait_for(holds: Callable[[RunsSnapshot], bool]) -> RunsSnapshot:
        while not holds(snapshot := arrived.get(timeout=PATIENCE)):
            pass
        return snapshot

    feed.start()
    try:
        yield feed, wait_for
    finally:
        feed.stop()
    feed.join(PATIENCE)
    assert not feed.running


def test_what_is_wanted_arrives(tmp_path: Path) -> None:
    """First the list, then what the screen shows of it."""
    run = write_run(tmp_path / "a")
    with feeding(tmp_path) as (feed, wait_for):
        assert wait_for(lambda snapshot: snapshot.listed).rows[0].depth is Depth.LISTED
        feed.want(Wish((str(run),)))
        assert wait_for(lambda snapshot: snapshot.rows[0].depth is Depth.READ).rows[0].step == 1


def test_the_file_system_tells_of_runs_that_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are there long before the folder would be searched again."""
    monkeypatch.setattr(runs_reading, "SEARCH_EVERY", 1e6)
    write_run(tmp_path / "a")
    with feeding(tmp_path) as (_, wait_for):
        wait_for(lambda snapshot: len(snapshot.rows) == 1)
        write_run(tmp_path / "b")
        wait_for(lambda snapshot: [row.name for row in snapshot.rows] == ["a", "b"])
        shutil.rmtree(tmp_path / "a")
        wait_for(lambda snapshot: [row.name for row in snapshot.rows] == ["b"])
