"""Reading a folder of runs: no further than somebody looks, and again only what has changed."""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path

import pytest

from tests.tui.run_folders import NOW, records, write_log, write_run
from trainhealth.records import EndRecord, StepRecord
from trainhealth.tui import runs_known, runs_reading
from trainhealth.tui.runs_reading import RunsReading, Wish
from trainhealth.tui.runs_row import Depth, Result, RunRow, RunsSnapshot
from trainhealth.tui.snapshot import State


class Clock:
    """A clock that goes on when it is told to, and a little whenever somebody looks."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now


class Folder:
    """A folder of runs, its reading and the clock of both."""

    def __init__(self, path: Path) -> None:
        self.path, self.clock, self.pids = path, Clock(), {0}
        self.reading = RunsReading(
            path, clock=self.clock, wall=lambda: NOW + self.clock.now - 100, alive=lambda pid, _: pid in self.pids
        )
        self.newest = RunsSnapshot(str(path))

    def read(self, *visible: str, held: tuple[str, ...] = (), everywhere: Depth = Depth.LISTED) -> dict[str, RunRow]:
        """Let a while pass and everything be done; return the rows by name."""
        self.clock.now += 2 * runs_reading.ASK_EVERY
        self.reading.wish = Wish(tuple(map(self.at, visible)), tuple(map(self.at, held)), everywhere)
        return self.finish()

    def finish(self) -> dict[str, RunRow]:
        """Turn until there is nothing to do."""
        self.reading.busy = True
        while self.reading.busy:
            self.newest = self.reading.turn() or self.newest
        return {row.name: row for row in self.newest.rows}

    def at(self, name: str) -> str:
        return str(self.path / name)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Three runs, one of them in a folder of its own."""
    write_run(tmp_path / "a", [2.0, 1.0], accuracy=0.75)
    write_run(tmp_path / "b", [2.0, math.nan])
    write_run(tmp_path / "deep" / "c", [1.0] * 5, ended=False, pid=7)
    return Folder(tmp_path)


def test_all_runs_are_listed_and_none_is_read_that_nobody_sees(folder: Folder) -> None:
    """Names and times come from the folder alone."""
    rows = folder.read()
    assert [*rows] == ["a", "b", "deep/c"]
    assert {row.depth for row in rows.values()} == {Depth.LISTED}
    assert rows["a"].written == NOW
    assert folder.newest.listed


def test_what_is_on_the_screen_is_read_in_full(folder: Folder) -> None:
    """With its diagnosis; the row beside it is not."""
    rows = folder.read("a", "b")
    assert [rows[name].depth for name in rows] == [Depth.READ, Depth.READ, Depth.LISTED]
    assert (rows["a"].step, rows["a"].loss, rows["a"].best) == (1, 1.0, Result("validation_accuracy", 0.75))
    assert rows["a"].findings == ()
    assert "nonfinite-loss" in [finding.name for finding in rows["b"].findings or ()]
    assert folder.newest.opened == {}


@pytest.mark.parametrize("depth", Depth)
def test_an_order_may_need_all_runs(folder: Folder, depth: Depth) -> None:
    """They are read as far as it asks for, and not further."""
    rows = folder.read(everywhere=depth)
    assert {row.depth for row in rows.values()} == {depth}


def test_a_glance_and_the_whole_tell_the_same(folder: Folder) -> None:
    """Nothing jumps when a row has been read in full."""

    def told(rows: dict[str, RunRow]) -> list[tuple[object, ...]]:
        return [(row.step, row.epoch, str(row.loss), row.condition, row.info) for row in rows.values()]

    glanced = told(folder.read(everywhere=Depth.GLANCED))
    assert told(folder.read(everywhere=Depth.READ)) == glanced


def test_the_curves_of_held_runs_are_kept_and_then_let_go(folder: Folder) -> None:
    """A run that was read before is read again for its curves."""
    folder.read("a")
    folder.read("a", held=("a",))
    opened = folder.newest.opened[folder.at("a")]
    assert list(opened.view.series("train_loss").values) == [2.0, 1.0]
    folder.read("a", held=("a",))
    assert folder.newest.opened[folder.at("a")] is opened
    folder.read("a")
    assert folder.newest.opened == {}


def test_nothing_is_read_twice_that_has_not_changed(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files' sizes and times tell."""
    rows = folder.read("a", "b", "deep/c", held=("a",))
    monkeypatch.setattr(runs_known, "glance", None)
    monkeypatch.setattr(runs_known, "Follower", None)
    assert folder.read("a", "b", "deep/c", held=("a",)) == rows


def test_what_grows_is_read_again(folder: Folder) -> None:
    """In its row, and in the curves of a run that is held."""
    folder.read("deep/c", held=("deep/c",))
    before = folder.newest.opened[folder.at("deep/c")]
    write_log(folder.path / "deep" / "c", [StepRecord(step=5, time=NOW + 1, train_loss=0.5)], "ab")
    rows = folder.read("deep/c", held=("deep/c",))
    assert (rows["deep/c"].step, rows["deep/c"].loss) == (5, 0.5)
    assert len(folder.newest.opened[folder.at("deep/c")].view.times) == len(before.view.times) + 1


def test_a_costly_diagnosis_waits_while_the_row_goes_on(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where reading in full takes half a second, it comes again when that is a small share of the time."""
    spent = iter(range(1000))
    monkeypatch.setattr(time, "thread_time", lambda: next(spent) / 2)
    folder.read("deep/c")
    write_log(folder.path / "deep" / "c", [StepRecord(step=5, time=NOW + 1, train_loss=math.nan)], "ab")
    row = folder.read("deep/c")["deep/c"]
    assert row.step == 5
    assert row.findings == ()
    folder.clock.now += 0.5 / runs_reading.READING_SHARE
    assert folder.read("deep/c")["deep/c"].findings


def test_runs_come_and_go(folder: Folder) -> None:
    """A search finds them; told that something happened, it searches at once."""
    folder.read("a")
    write_run(folder.path / "new")
    shutil.rmtree(folder.path / "a")
    folder.reading.search_soon()
    folder.clock.now += 2 * runs_reading.NEWS_EVERY
    assert [*folder.finish()] == ["b", "deep/c", "new"]
    shutil.rmtree(folder.path / "b")
    folder.clock.now += runs_reading.SEARCH_EVERY + 1
    assert [*folder.finish()] == ["deep/c", "new"]


def test_news_are_looked_for_twice(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run's folder is made before its files; however much happens, a search follows the last one with a pause."""
    monkeypatch.setattr(runs_reading, "SEARCH_EVERY", 1e6)
    folder.read()
    (folder.path / "new").mkdir()
    folder.reading.search_soon()
    folder.clock.now += 2 * runs_reading.NEWS_EVERY
    assert "new" not in folder.finish()
    write_run(folder.path / "new")
    assert "new" not in folder.finish()
    folder.clock.now += 2 * runs_reading.NEWS_EVERY
    assert "new" in folder.finish()


def test_a_folder_without_runs_says_so_and_waits(tmp_path: Path) -> None:
    """The first run may come any moment."""
    folder = Folder(tmp_path)
    assert folder.read() == {}
    assert "there is no run here" in folder.newest.problem
    write_run(tmp_path / "first")
    folder.reading.search_soon()
    folder.clock.now += 2 * runs_reading.NEWS_EVERY
    assert [*folder.finish()] == ["first"]
    assert folder.newest.problem == ""


def test_a_run_is_live_until_it_is_silent_for_long(folder: Folder) -> None:
    """Time alone changes the state; an ended run stays what it is."""
    folder.pids.add(7)
    rows = folder.read("a", "deep/c")
    assert (rows["a"].condition.state, rows["deep/c"].condition.state) == (State.ENDED, State.LIVE)
    folder.clock.now += 3600
    rows = folder.read("a", "deep/c")
    assert (rows["a"].condition.state, rows["deep/c"].condition.state) == (State.ENDED, State.STALLED)


def test_a_process_that_was_seen_and_is_gone_was_killed(folder: Folder) -> None:
    """One that was never seen may run on another machine."""
    folder.pids.add(7)
    folder.read("deep/c")
    folder.pids.remove(7)
    folder.clock.now += 20
    assert folder.read("deep/c")["deep/c"].condition.state is State.GONE


def test_a_run_that_ends_is_told_by_its_end(folder: Folder) -> None:
    """The last record counts."""
    folder.read("deep/c")
    write_log(folder.path / "deep" / "c", [EndRecord(step=5, time=NOW + 1)], "ab")
    assert folder.read("deep/c")["deep/c"].condition.state is State.ENDED


def test_one_run_that_can_not_be_read_does_not_hide_the_others(folder: Folder) -> None:
    """Its row says why; held, it has no curves."""
    (folder.path / "a" / "run.json").write_text("{")
    rows = folder.read("a", "b", held=("a",))
    assert rows["a"].condition.state is State.UNREADABLE
    assert "not a run.json" in rows["a"].condition.text
    assert rows["b"].findings
    assert folder.newest.opened[folder.at("a")].view.last_step == -1


def test_a_defect_of_ours_is_one_row_too(folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The details go to the file of failures."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("no such luck")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(runs_known, "diagnose", broken)
    rows = folder.read("a")
    assert rows["a"].condition.state is State.BROKEN
    assert "ZeroDivisionError: no such luck" in rows["a"].condition.text


def test_a_log_of_another_tool_is_read_in_full_at_once(tmp_path: Path) -> None:
    """Its end does not tell how the run is doing."""
    lines = "".join(f"{epoch},{2.0 / (epoch + 1)},{0.5 + epoch / 20}\n" for epoch in range(8))
    (tmp_path / "training.csv").write_text(f"epoch,loss,val_accuracy\n{lines}")
    write_run(tmp_path / "a")
    rows = Folder(tmp_path).read(everywhere=Depth.GLANCED)
    assert rows["training.csv"].depth is Depth.READ
    assert rows["training.csv"].best == Result("validation_accuracy", 0.85)
    assert rows["a"].depth is Depth.GLANCED


def test_a_document_that_does_not_end_its_last_line_is_read_as_well(tmp_path: Path) -> None:
    """Other tools write JSON so, and it is complete."""
    (tmp_path / "history.json").write_text('{"loss": [2.0, 1.5, 1.0], "val_loss": [2.1, 1.8, 1.9]}')
    rows = Folder(tmp_path).read("history.json")
    assert (rows["history.json"].loss, rows["history.json"].best) == (1.0, Result("validation_loss", 1.8))


def test_long_work_is_cut_into_slices_that_are_shown(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The screen fills up while the rest is read, what is visible first."""
    monkeypatch.setattr(runs_reading, "SLICE", 0.0)
    folder.reading.wish = Wish((folder.at("b"),), (), Depth.GLANCED)
    depths = []
    while folder.reading.busy:
        snapshot = folder.reading.turn()
        if snapshot is not None:
            depths.append([int(row.depth) for row in snapshot.rows])
    assert depths == [[0, 1, 0], [0, 2, 0], [1, 2, 0], [1, 2, 1]]


def test_a_snapshot_comes_again_only_with_news_or_when_ages_have_changed(folder: Folder) -> None:
    """A screen that nothing happens on is drawn every few seconds."""
    folder.read("a")
    folder.clock.now += 1.0
    assert folder.reading.turn() is None
    folder.clock.now += runs_reading.AGES_EVERY
    assert folder.reading.turn() is not None


def test_the_folders_to_listen_to(folder: Folder) -> None:
    """Where runs come and go: the folder, and those below that hold runs."""
    folder.read()
    below = {str(path.relative_to(folder.path)) for path in folder.reading.folders}
    assert below == {".", "deep"}


def test_records_are_of_the_times_that_the_tests_mean() -> None:
    """The steps of a run are a second apart and end now."""
    assert [record.time for record in records([1.0, 1.0])] == [NOW - 1, NOW - 1, NOW, NOW]
