"""The view of the log: settings, their difference from another run, the machine, what can't be read, the records."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from tests.tui.cases import HEALTHY, STATES, snapshot
from tests.tui.screen import SIZES, opened, post, screen_text
from trainhealth.diagnosis import load
from trainhealth.findings import Diagnosis
from trainhealth.records import (
    EventRecord,
    OptimizerInfo,
    Record,
    RunInfo,
    Skipped,
    StartRecord,
    StepRecord,
    encode,
    encode_info,
)
from trainhealth.series import RunView, Series
from trainhealth.tui.lines import Line, plain
from trainhealth.tui.log_page import (
    MOST_SKIPPED,
    event_lines,
    log_file,
    log_page,
    record_lines,
    skipped_lines,
    wished,
)
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.neighbours import Neighbours
from trainhealth.tui.raw_lines import RawLines
from trainhealth.tui.settings_lines import run_lines, settings_lines, shown
from trainhealth.tui.snapshot import Snapshot, State
from trainhealth.tui.system_lines import bars, system_lines

SGD = OptimizerInfo(name="", type="SGD", groups=[{"lr": 0.1, "momentum": 0.9, "foreach": None}])


def text(lines: list[Line]) -> str:
    return "\n".join(plain(content) for content in lines)


def write_run(folder: Path, info: RunInfo, *, when: float, steps: int = 0) -> Path:
    """Write a run of ours, begun at a time."""
    folder.mkdir(parents=True)
    (folder / "run.json").write_bytes(encode_info(info))
    os.utime(folder / "run.json", (when, when))
    records: list[Record] = [
        StartRecord(step=0, time=1e9),
        *(StepRecord(step=k, time=1e9 + k, train_loss=2.0) for k in range(steps)),
    ]
    (folder / "events-0.jsonl").write_bytes(b"".join(map(encode, records)))
    return folder


# --- settings ---


def test_what_a_person_chose_comes_first() -> None:
    """Then the optimizer's settings; what is not set at all is left out."""
    info = RunInfo(optimizers=[SGD], hyperparameters={"augment": True}, versions={"torch": "2.13.0"})
    lines = [plain(row).split() for row in settings_lines(info, None, 80)]
    assert lines == [
        ["Settings"],
        ["augment", "True"],
        ["optimizer", "SGD"],
        ["optimizer.lr", "0.1"],
        ["optimizer.momentum", "0.9"],
        ["torch", "version", "2.13.0"],
    ]


def test_settings_that_differ_stand_first_with_both_values() -> None:
    """Also those that only one of the runs has."""
    mine = RunInfo(hyperparameters={"same": 1, "rate": 0.1, "mine": "x"})
    theirs = RunInfo(hyperparameters={"same": 1, "rate": 0.5, "theirs": "y"})
    lines = text(settings_lines(mine, ("before", theirs), 80)).splitlines()
    assert "3 of 4 differ from before" in lines[0]
    assert [line.split() for line in lines[2:]] == [
        ["≠", "rate", "0.1", "0.5"],
        ["≠", "mine", "x", "–"],
        ["≠", "theirs", "–", "y"],
        ["same", "1"],
    ]


def test_equal_settings_are_said_to_be() -> None:
    """So that nobody looks for the difference."""
    info = RunInfo(hyperparameters={"rate": 0.1})
    assert "the same as in before" in text(settings_lines(info, ("before", info), 80))


@pytest.mark.parametrize("width", [20, 40, 80])
def test_long_settings_leave_room_for_the_other_column(width: int) -> None:
    """No line is wider than the view."""
    mine, theirs = (RunInfo(hyperparameters={"k" * 60: value * 90}) for value in "ab")
    lines = settings_lines(mine, ("before", theirs), width)
    assert all(len(plain(row)) <= width for row in lines[1:])
    assert width < 40 or "bbb" in text(lines)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.001, "0.001"), (1e-08, "1e-08"), (float("nan"), "nan"), ([0.9, 0.999], "(0.9, 0.999)"), ("a", "a")],
)
def test_settings_are_written_as_people_write_them(value: object, said: str) -> None:
    """Not as JSON does."""
    assert shown(value) == said


def test_the_run_says_what_it_is() -> None:
    """Frozen parameters and several ranks too; what is not known is left out."""
    info = RunInfo(model="Net", parameters=1000, trainable_parameters=10, world_size=4)
    said = text(run_lines(RunView(info=info, ranks=(0, 1), resumed=(500,), pid=42), 80))
    for part in ("model       Net", "1,000, 990 of them frozen", "ranks       2 of 4", "resumed     at step 500"):
        assert part in said
    assert "task" not in said


# --- the other runs ---


def test_the_run_before_stands_beside_first(tmp_path: Path) -> None:
    """Then older ones, then those that came later; round and round."""
    for name, when in (("old", 1.0), ("before", 2.0), ("this", 3.0), ("later", 4.0)):
        write_run(tmp_path / name, RunInfo(name=name), when=when)
    neighbours = Neighbours(tmp_path / "this")
    found = [neighbours.info(number) for number in range(4)]
    assert [each[0] for each in found if each] == ["before", "old", "later", "before"]
    assert len(neighbours) == 3


def test_a_neighbour_that_can_not_be_read_is_none(tmp_path: Path) -> None:
    """Half written, or of a newer version."""
    write_run(tmp_path / "this", RunInfo(), when=2.0)
    broken = write_run(tmp_path / "broken", RunInfo(), when=1.0)
    (broken / "run.json").write_text("{")
    assert Neighbours(tmp_path / "this").info(0) is None


def test_a_foreign_log_has_neighbours_that_are_runs(tmp_path: Path) -> None:
    """A file is compared with nothing where nothing describes the others."""
    (tmp_path / "log.csv").touch()
    assert Neighbours(tmp_path / "log.csv").info(0) is None


# --- the machine ---


def view_of(**values: list[float]) -> RunView:
    return RunView(scalars={name: Series(name, np.arange(len(v)), np.array(v)) for name, v in values.items()})


def test_the_machine_is_told_in_units_of_people() -> None:
    """Shares in per cent, memory in GiB, the newest value and the largest."""
    said = text(system_lines(view_of(cpu_share=[0.2, 0.9, 0.5], process_memory=[3 * 2.0**30]), 100, Look()))
    assert "50%" in said
    assert "at most 90%" in said
    assert "3 GiB" in said


def test_another_tools_signals_of_the_machine_are_shown() -> None:
    """Under their own names; a loss is none of them."""
    said = text(
        system_lines(view_of(**{"system/gpu.0.memory": [1.0], "train_loss": [2.0], "program": [1.0]}), 100, Look())
    )
    assert "system/gpu.0.memory" in said
    assert "train_loss" not in said
    assert "program" not in said


def test_silence_about_the_machine_is_said() -> None:
    """An empty place would look like a fault."""
    assert "says nothing about the machine" in text(system_lines(RunView(), 80, Look()))


def test_what_watching_costs_is_said_of_all_time() -> None:
    """It is a mean since the start, which is allowed a second: several times the first steps' own time is no news."""
    overhead = Series("overhead", np.arange(3), np.array([5.54, 0.5, 0.02]))
    said = text(system_lines(RunView(sampling={"overhead": overhead}), 100, Look()))
    assert "2%" in said
    assert "of all time" in said
    assert "554%" not in said


@pytest.mark.parametrize(("values", "drawn"), [([0.0, 0.5, 1.0, 1.0], "▁▅██"), ([0.0] * 4, "▁▁▁▁"), ([1.0], "████")])
def test_bars_reach_from_nothing_to_the_largest(values: list[float], drawn: str) -> None:
    """A part without a value goes on as the one before."""
    series = Series("x", np.arange(len(values)), np.array(values))
    assert bars(series, 4, Look()) == drawn


def test_no_peak_is_lost_in_a_long_run() -> None:
    """One step of a million."""
    values = np.zeros(1_000_000)
    values[123_456] = 1.0
    series = Series("x", np.arange(len(values)), values)
    assert bars(series, 40, Look(), top=1.0).count("█") == 1
    assert bars(series, 40, Look(Glyphs.ASCII), top=1.0).count("9") == 1


# --- lines and records ---


def test_lines_that_can_not_be_read_are_listed_with_their_reason() -> None:
    """Never swallowed; of very many, the first and how many more."""
    skipped = tuple(Skipped(number, "not a JSON object", "{broken") for number in range(1, MOST_SKIPPED + 6))
    said = text(skipped_lines(RunView(skipped=skipped), 80))
    assert "25 lines could not be read" in said
    assert "line 1  not a JSON object" in said
    assert "and 5 more" in said
    assert skipped_lines(RunView(), 80) == []


def test_of_several_ranks_the_rank_is_named() -> None:
    """Each has a file of its own."""
    view = RunView(skipped=(Skipped(7, "not a JSON object", "", 3),), ranks=(0, 3))
    assert "rank 3, line 7" in text(skipped_lines(view, 80))


def test_events_are_told_the_newest_first() -> None:
    """With the step at which they happened."""
    events = [EventRecord(step=step, time=0.0, event="note", message=f"message {step}") for step in (1, 2)]
    assert [plain(row).split() for row in event_lines(events, 80)[2:]] == [
        ["step", "2", "message", "2"],
        ["step", "1", "message", "1"],
    ]


def test_the_wanted_record_is_marked_and_in_the_middle() -> None:
    """With what came before and after it."""
    lines, wanted = record_lines(RawLines(tuple(f"line {k}" for k in range(100)), 50), "50", 80, 11)
    assert plain(lines[wanted]) == "▎line 50"
    assert (plain(lines[1]), plain(lines[-1])) == (" line 46", " line 55")


def test_words_that_nothing_has_are_said() -> None:
    """The last lines stand there instead."""
    lines, _ = record_lines(RawLines(("line 1",)), "xyz", 80, 11)
    assert "Nothing has 'xyz'." in text(lines)
    assert "line 1" in text(lines)


def test_a_record_can_not_steer_the_terminal() -> None:
    """A log is somebody else's text."""
    lines, _ = record_lines(RawLines(("\x1b[2Jboo",)), "", 80, 11)
    assert "\x1b" not in text(lines)


@pytest.mark.parametrize("width", [20, 78, 139, 140, 200])
@pytest.mark.parametrize("state", STATES)
def test_every_state_has_a_log_view_in_every_width(state: str, width: int) -> None:
    """No line is wider than the view."""
    lines, _ = log_page(STATES[state], None, RawLines(), "", width, 20, Look())
    assert all(len(plain(row)) <= max(width, 24) for row in lines)


# --- the screen ---


@pytest.mark.parametrize("look", [Look(Glyphs.ASCII), Look(colour=False)], ids=["ascii", "no colours"])
async def test_every_state_has_a_log_view_in_every_look(look: Look) -> None:
    """In ASCII there is nothing else than ASCII, and nothing fails."""
    async with opened(size=(120, 40), look=look) as pilot:
        await pilot.press("4")
        for state in STATES.values():
            await post(pilot, dataclasses.replace(state, path="runs/baseline"))
            text_of_screen = screen_text(pilot)
            assert "Settings" in text_of_screen
            assert "trainhealth failed" not in text_of_screen
            assert look.glyphs is not Glyphs.ASCII or text_of_screen.isascii()


@pytest.fixture
def followed(tmp_path: Path) -> Snapshot:
    """A run of two hundred steps beside an older one."""
    write_run(tmp_path / "before", RunInfo(hyperparameters={"rate": 0.5}), when=1.0)
    path = write_run(tmp_path / "this", RunInfo(hyperparameters={"rate": 0.1}), when=2.0, steps=200)
    return Snapshot(
        str(path), dataclasses.replace(STATES["healthy"].condition), load(path).view, HEALTHY, diagnosed=True
    )


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_view_shows_settings_and_finds_a_step(followed: Snapshot, size: tuple[int, int]) -> None:
    """In every size; what is typed is looked for at every letter."""
    async with opened(followed, size) as pilot:
        await pilot.press("4")
        await pilot.pause()
        assert "1 of 1 differ from before" in screen_text(pilot)
        await pilot.press("slash", *"150", "enter")
        await pilot.pause()
        assert '▎{"kind":"step","step":150,' in screen_text(pilot)


async def test_another_run_can_stand_beside_or_none(followed: Snapshot) -> None:
    """The key that shows another signal of the layers shows another run here."""
    async with opened(followed) as pilot:
        await pilot.press("4", "s")
        await pilot.pause()
        assert "differ from" not in screen_text(pilot)
        await pilot.press("S")
        await pilot.pause()
        assert "differ from before" in screen_text(pilot)


async def test_the_keys_scroll_the_log(followed: Snapshot) -> None:
    """To its end and back."""
    async with opened(followed) as pilot:
        await pilot.press("4", "end")
        await pilot.pause()
        assert '"step":199,' in screen_text(pilot)
        await pilot.press("home")
        await pilot.pause()
        assert "differ from before" in screen_text(pilot)


async def test_a_log_that_is_gone_is_no_failure(followed: Snapshot) -> None:
    """What was read of it stays; its lines say why there are none."""
    async with opened(followed) as pilot:
        for file in Path(followed.path).iterdir():
            file.unlink()
        await pilot.press("4", "end")
        await pilot.pause()
        assert "There are none." in screen_text(pilot)


async def test_a_run_that_is_not_there_has_an_empty_log() -> None:
    """In every state."""
    waiting = snapshot(RunView(), Diagnosis(), State.WAITING, diagnosed=False)
    async with opened(waiting) as pilot:
        await pilot.press("4")
        await pilot.pause()
        assert "Settings" in screen_text(pilot)


def test_the_log_of_every_rank_can_be_read(tmp_path: Path) -> None:
    """Its number comes before the step or the words; a rank that there is not leaves the first."""
    for rank in (0, 1):
        (tmp_path / f"events-{rank}.jsonl").write_bytes(encode(StartRecord(step=0, time=1.0, rank=rank)))
    assert log_file(tmp_path) == log_file(tmp_path, 7) == tmp_path / "events-0.jsonl"
    assert log_file(tmp_path, 1) == tmp_path / "events-1.jsonl"
    assert (wished("rank 1"), wished("rank 12 error"), wished("1200")) == ((1, ""), (12, "error"), (None, "1200"))
    title = plain(record_lines(RawLines(("{}",)), "", 80, 9, ranks=(0, 1))[0][0])
    assert title.endswith("the last ones of rank 0; / goes to a step, to words, or to rank 1")
