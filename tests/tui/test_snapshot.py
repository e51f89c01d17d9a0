"""In which state a run is."""

from __future__ import annotations

import dataclasses

import pytest

from tests.tui.cases import run
from trainhealth.records import ErrorRecord
from trainhealth.testing import make_run
from trainhealth.tui.snapshot import LONGEST_PAUSE, Condition, State, condition_of

LIVE = run()  # a step every 10 ms, process 1


@pytest.mark.parametrize(
    ("quiet", "alive", "expected"),
    [
        (0.0, None, State.LIVE),
        (59.0, None, State.LIVE),
        (61.0, None, State.STALLED),
        (61.0, True, State.STALLED),
        (1.0, False, State.LIVE),
        (6.0, False, State.GONE),
        (3600.0, False, State.GONE),
    ],
)
def test_silence_is_a_stall_and_a_dead_process_is_told_apart(quiet: float, alive: bool | None, expected: State) -> None:
    """A minute without a record stalls a fast run; a process that is gone is gone after a few seconds."""
    assert condition_of(LIVE, quiet, alive).state is expected


def test_a_slow_run_may_be_silent_for_longer() -> None:
    """A step a minute: twenty of them may pass."""
    slow = dataclasses.replace(LIVE, times=dataclasses.replace(LIVE.times, values=LIVE.times.steps * 60.0))
    assert condition_of(slow, 600.0, None).state is State.LIVE
    assert condition_of(slow, 1300.0, None).state is State.STALLED
    assert "usually every 60 s" in condition_of(slow, 1300.0, None).text


def test_a_pause_that_the_run_has_made_before_is_no_stall() -> None:
    """Evaluations and checkpoints take their time, epoch after epoch."""
    times = LIVE.times.values.copy()
    times[50:] += 200.0
    pausing = dataclasses.replace(LIVE, times=dataclasses.replace(LIVE.times, values=times))
    assert condition_of(pausing, 300.0, None).state is State.LIVE
    assert condition_of(pausing, 401.0, None).state is State.STALLED


def test_another_tool_s_log_is_live_only_while_it_is_fresh_or_grows() -> None:
    """It does not say when training ends: what nobody has seen growing is not called live, and nothing is stalled."""
    foreign = dataclasses.replace(LIVE, format="keras-csv", pid=0)
    assert condition_of(foreign, 59.0, None).state is State.LIVE
    assert condition_of(foreign, 61.0, None).state is State.QUIET
    slow = dataclasses.replace(foreign, times=dataclasses.replace(LIVE.times, values=LIVE.times.steps * 60.0))
    assert condition_of(slow, 600.0, None, grown=True).state is State.LIVE
    assert condition_of(slow, 1300.0, None, grown=True).state is State.QUIET


def test_a_stall_says_where_its_process_was_not_found() -> None:
    """It trains elsewhere, or was killed: only the person knows which."""
    assert "process 1 is not on this machine, or was killed" in condition_of(LIVE, 61.0, None).text
    assert "process" not in condition_of(LIVE, 61.0, True).text


def test_a_run_without_steps_has_long_to_begin() -> None:
    """Loading data and compiling take minutes, and there is no usual interval yet."""
    assert condition_of(make_run([]), LONGEST_PAUSE - 1, None) == Condition(State.LIVE)
    assert condition_of(make_run([]), LONGEST_PAUSE + 1, None).state is State.STALLED


@pytest.mark.parametrize(
    ("reason", "text"),
    [("closed", ""), ("interrupted", "the script was interrupted"), ("of its own", "of its own")],
)
def test_a_run_that_has_ended_says_why(reason: str, text: str) -> None:
    """However long ago: silence after the end is no stall, and no process is missed."""
    ended = dataclasses.replace(LIVE, ended=reason)
    assert condition_of(ended, 1e6, False) == Condition(State.ENDED, text)


def test_an_exception_comes_before_everything() -> None:
    """What the script died of stands in the log."""
    error = ErrorRecord(step=9, time=1.0, type="RuntimeError", message="CUDA out of memory")
    failed = dataclasses.replace(LIVE, ended="exception", error=error)
    assert condition_of(failed, 1e6, False) == Condition(State.FAILED, "RuntimeError: CUDA out of memory")
    silent = dataclasses.replace(failed, error=ErrorRecord(step=9, time=1.0, type="KeyError"))
    assert condition_of(silent, 0.0, None).text == "KeyError"
