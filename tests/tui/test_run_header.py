"""The top of the screen."""

from __future__ import annotations

import dataclasses

import pytest

from tests.tui.cases import HEALTHY, STATES, run, snapshot
from trainhealth.records import Skipped
from trainhealth.tui.lines import plain, width_of
from trainhealth.tui.run_header import header_lines
from trainhealth.tui.snapshot import Condition, Snapshot, State


def text(shown: Snapshot, width: int = 110, behind: int | None = None) -> list[str]:
    return [plain(row) for row in header_lines(shown, width, behind)]


def test_a_live_run_says_where_it_is_and_when_it_will_be_done() -> None:
    """Step, epoch, speed and time left; the verdict; model, optimizer, rate and batch size."""
    first, verdict, second = text(snapshot())
    assert first.startswith(" ● live  baseline   ")
    assert first.endswith("   step 99 of 200 (50%) · 1.0 s left · epoch 2 · 100 steps/s ")
    assert verdict.startswith(" ✖ Probably sick: learning-rate-too-high since step 40  The updates at")
    assert second.startswith("   SmallConvNet · 93,322 parameters · SGD · rate 0.5 · batch 64   ")
    assert second.endswith("   runs/baseline ")


def test_what_is_unknown_is_left_out() -> None:
    """A run that nobody gave a length has no time left."""
    first = text(snapshot(run(total_steps=None)))[0]
    assert "left" not in first
    assert "step 99 · epoch 2" in first


def test_what_matters_least_goes_first_where_there_is_no_room() -> None:
    """The step stays; the speed goes, then the epoch."""
    assert text(snapshot(), 62)[0].endswith("step 99 of 200 (50%) · 1.0 s left · epoch 2 ")
    assert text(snapshot(), 44)[0].endswith("step 99 of 200 (50%) ")


def test_an_ended_run_has_no_speed() -> None:
    """It is not going anywhere."""
    first = text(snapshot(condition=State.ENDED))[0]
    assert "steps/s" not in first


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("width", [200, 80, 40, 20])
def test_every_state_has_its_sign_and_its_word(name: str, width: int) -> None:
    """In every width, and beside it the notice that tells more."""
    shown = STATES[name]
    lines = header_lines(shown, width)
    assert str(shown.condition.state) in plain(lines[0])
    assert all(width_of(row) <= width for row in lines)
    assert bool(shown.condition.text or shown.restarts) == (len(lines) > len(header_lines(snapshot(), width)))


def test_what_stands_elsewhere_can_be_left_out() -> None:
    """Small screens do without the model; what to do is said where the list of findings is not shown."""
    assert len(header_lines(snapshot(), 80, model=False)) == 2
    rows = [plain(row) for row in header_lines(snapshot(), 80, model=False, remedy=True)]
    assert rows[2] == "   Do this: Lower the learning rate from 0.5 to 0.005."
    assert len(header_lines(snapshot(diagnosis=HEALTHY), 80, model=False, remedy=True)) == 2


def test_another_tool_s_log_says_how_it_was_read() -> None:
    """It names no model; what it was taken for explains what is missing."""
    assert "read as keras-csv" in text(snapshot(dataclasses.replace(run(), format="keras-csv")))[2]


def test_a_paused_screen_says_how_far_it_is_behind() -> None:
    """The training goes on, and nobody should take an old screen for the present."""
    assert text(snapshot(), behind=0)[0].startswith(" ‖ paused  baseline")
    assert text(snapshot(), behind=1240)[0].startswith(" ‖ paused, 1,240 steps behind")


def test_lines_that_could_not_be_read_are_counted() -> None:
    """A corrupt line is never swallowed."""
    skipped = (Skipped(17, "not a JSON object"), Skipped(18, "not a JSON object"))
    notice = text(snapshot(dataclasses.replace(run(), skipped=skipped)))[3]
    assert notice.strip() == "2 lines of the log could not be read (line 17: not a JSON object)"


def test_a_log_that_began_anew_is_said_to_have() -> None:
    """Once is no number worth counting."""
    assert "the log began anew (truncated or replaced)" in text(snapshot(restarts=1))[3]
    assert "the log began anew 3 times" in text(snapshot(restarts=3))[3]


def test_several_ranks_are_counted() -> None:
    """One file each."""
    assert "4 ranks" in text(snapshot(dataclasses.replace(run(), ranks=(0, 1, 2, 3))))[2]


def test_why_nothing_goes_on_is_told_in_full() -> None:
    """The fact, then what to do about it, on as many lines as they take: a path often stands at the end."""
    condition = Condition(State.UNREADABLE, f"{'folder/' * 20}x: not a log", "Known formats: trainhealth.")
    told = [row.strip() for row in text(snapshot(condition=condition))[3:]]
    assert "".join(told[:-1]).endswith("x: not a log")
    assert told[-1] == "Known formats: trainhealth."
