"""A run played again: its clock, its snapshots, its screen."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.tui.cases import CAUSE, OTHER
from tests.tui.screen import SIZES, Clock, replay_of, replayed, screen_text, turned
from trainhealth.findings import Diagnosis
from trainhealth.series import RunView, Series
from trainhealth.testing import make_run
from trainhealth.tui.lines import plain
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.replay import Place, Replay
from trainhealth.tui.replay_screen import TimeBar
from trainhealth.tui.snapshot import State
from trainhealth.tui.time_bar import time_bar
from trainhealth.tui.timeline import LONGEST_SILENCE, UNDATED, Timeline, next_speed, timeline


def at(times: list[float]) -> RunView:
    """Return a run whose steps were finished at these times."""
    steps = np.arange(len(times))
    return dataclasses.replace(make_run([2.0] * len(times)), times=Series("time", steps, np.array(times, np.float64)))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def replay(clock: Clock) -> Replay:
    """A run of 11 steps, one a second, played at its own speed."""
    return Replay("runs/baseline", at([100.0 + k for k in range(11)]), {}, 1.0, clock=clock)


# --- the timeline ---


def test_steps_happen_when_they_happened() -> None:
    """Seconds count from the first step."""
    assert timeline(at([100.0, 101.0, 104.0])).seconds.tolist() == [0.0, 1.0, 4.0]


@pytest.mark.parametrize(
    ("times", "length"),
    [
        ([0.0, 1.0, 90_000.0, 90_001.0], 2.0 + LONGEST_SILENCE),  # resumed on the next day
        ([0.0, 1.0, -3600.0, -3599.0], 2.0),  # the clock was set back
        ([0.0, 1.0, float("nan"), 2.0, 3.0], 2.0),
    ],
)
def test_a_clock_that_jumps_leaves_the_timeline_in_order(times: list[float], length: float) -> None:
    """Nobody waits for a night again, and the bar never runs back."""
    made = timeline(at(times))
    assert made.length == pytest.approx(length, abs=1e-4)
    assert (np.diff(made.seconds) > 0).all()


def test_steps_of_one_moment_can_be_told_apart() -> None:
    """Ten steps within a millisecond are ten places to go to."""
    made = timeline(at([5.0] * 10 + [6.0]))
    assert [made.index(float(second)) for second in made.seconds] == list(range(11))


def test_a_log_without_times_takes_a_minute() -> None:
    """An epoch is as long as the next one."""
    scores = RunView(scalars={"validation_loss": Series("validation_loss", np.arange(0, 50, 10), np.ones(5))})
    made = timeline(scores)
    assert (made.steps.tolist(), made.length, made.dated) == ([0, 10, 20, 30, 40], UNDATED, False)


@pytest.mark.parametrize("view", [RunView(), make_run([2.0])])
def test_a_run_without_a_second_step_is_over_at_once(view: RunView) -> None:
    """There is nothing to wait for."""
    made = timeline(view)
    assert made.length == 0.0
    assert made.index(3.0) == 0


@pytest.mark.parametrize(("seconds", "speed"), [(3.0, 0.05), (50.0, 1.0), (3600.0, 100.0), (1e9, 500_000.0)])
def test_by_default_a_replay_takes_about_a_minute(seconds: float, speed: float) -> None:
    """Whether the run took three seconds or three days."""
    assert Timeline(np.arange(2), np.array([0.0, seconds]), dated=True).handy_speed() == speed


def test_speeds_go_up_and_down_in_handy_steps() -> None:
    """Also from a speed that is none of the usual ones; at the ends they stay."""
    assert [next_speed(20.0, 1), next_speed(20.0, -1), next_speed(7.0, 1), next_speed(7.0, -1)] == [50, 10, 10, 5]
    assert (next_speed(0.01, -1), next_speed(500_000.0, 1)) == (0.01, 500_000.0)


# --- the replay ---


def test_it_goes_on_with_the_clock(replay: Replay, clock: Clock) -> None:
    """Each snapshot is the run as it was, diagnosed as it was."""
    first = replay.turn()
    assert first is not None
    assert (first.view.last_step, first.condition.state, first.diagnosed) == (0, State.REPLAY, True)
    assert replay.turn() is None
    clock.now = 4.5
    later = replay.turn()
    assert later is not None
    assert later.view.last_step == 4
    clock.now = 100.0
    end = replay.turn()
    assert end is not None
    assert end.view.last_step == 10
    assert not replay.place.playing


def test_the_end_shows_how_the_run_ended(clock: Clock) -> None:
    """Only there: before, nobody knew."""
    replay = Replay("run", dataclasses.replace(at([0.0, 1.0, 2.0]), ended="closed"), {}, 1.0, clock=clock)
    replay.step(1)
    middle = replay.turn()
    replay.seek(1.0)
    end = replay.turn()
    assert middle is not None
    assert end is not None
    assert [middle.condition.state, end.condition.state] == [State.REPLAY, State.ENDED]


def test_it_can_be_stopped_and_goes_on_from_there(replay: Replay, clock: Clock) -> None:
    """From the end it begins anew."""
    clock.now = 3.0
    replay.play()
    clock.now = 60.0
    assert replay.place.second == 3.0
    replay.play()
    clock.now = 61.0
    assert replay.place.second == 4.0
    clock.now = 1000.0
    assert replay.place.second == 10.0
    replay.play()
    assert replay.place.second == 0.0


def test_steps_go_one_by_one_and_stay(replay: Replay, clock: Clock) -> None:
    """At the ends there is no further one."""
    for by, index in ((1, 1), (1, 2), (-1, 1), (-1, 0), (-1, 0), (100, 10), (1, 10)):
        replay.step(by)
        assert replay.place.index == index
    clock.now = 5.0
    assert replay.place.index == 10


def test_another_speed_holds_from_now_on(replay: Replay, clock: Clock) -> None:
    """What has been played stays played."""
    clock.now = 2.0
    replay.faster(1)
    clock.now = 4.0
    assert replay.place.second == 6.0


def test_no_snapshot_is_made_that_nobody_asks_for(replay: Replay, clock: Clock) -> None:
    """The feed looks only so often."""
    replay.turn()
    clock.now = 3.0
    assert replay.turn(may_look=False) is None
    later = replay.turn()
    assert later is not None
    assert later.view.last_step == 3


def test_a_diagnosis_is_made_once(replay: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    """Going back and forth costs nothing."""
    made: list[int] = []

    def count(view: RunView, options: object) -> Diagnosis:
        made.append(view.last_step)
        return Diagnosis()

    monkeypatch.setattr("trainhealth.tui.replay.diagnose", count)
    for by in (1, 1, -1, 1):
        replay.step(by)
        replay.turn()
    assert made == [1, 2]


def test_a_failure_becomes_a_state(replay: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never a traceback."""
    monkeypatch.setattr("trainhealth.tui.replay.diagnose", lambda *_: 1 / 0)
    failed = replay.turn()
    assert failed is not None
    assert failed.condition.state is State.BROKEN
    assert "ZeroDivisionError" in failed.condition.text


# --- the bar ---

HOUR = Timeline(np.arange(3601), np.arange(3601.0), dated=True)


def test_the_bar_says_where_and_how_fast() -> None:
    """The run's time, and the time of day that it was."""
    drawn, bar = time_bar(HOUR, Place(1800, 1800.0, 20.0, True), (), "14:03:22", 80)
    text = plain(drawn)
    assert text.startswith(" ▶ ×20 ")
    assert text.endswith(" 0:30:00 of 1:00:00  14:03:22 ")
    assert len(text) == 80
    assert text[bar.start : bar.stop].strip("━─") == "●"
    assert text.index("●") == (bar.start + bar.stop) // 2


def test_findings_stand_where_they_began() -> None:
    """The cause is not hidden by what it explains."""
    drawn, bar = time_bar(HOUR, Place(0, 0.0, 1.0, False), (CAUSE, dataclasses.replace(OTHER, first_step=41)), "", 200)
    signs = [span for span in drawn if span.role in ("critical", "warning")]
    assert [span.text for span in signs] == ["✖"]
    assert plain(drawn).startswith(" ‖ ")
    assert len(bar) > 100


def test_where_nothing_is_dated_steps_are_counted() -> None:
    """There is no time to tell."""
    made = Timeline(np.arange(5), np.linspace(0, UNDATED, 5), dated=False)
    assert " 3 of 5 " in plain(time_bar(made, Place(2, 30.0, 1.0, True), (), "", 60)[0])


@pytest.mark.parametrize("width", [1, 10, 20, 40])
def test_a_narrow_bar_is_left_out(width: int) -> None:
    """The numbers say the same."""
    drawn, bar = time_bar(HOUR, Place(0, 0.0, 1.0, True), (), "14:03:22", width)
    assert "0:00:00" in plain(drawn)
    assert len(bar) in (0, *range(10, 40))


# --- the screen ---


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_bar_stands_above_the_footer(size: tuple[int, int]) -> None:
    """In every size."""
    async with replayed(size) as pilot:
        bar, footer = screen_text(pilot).splitlines()[-2:]
        assert bar.startswith(" ▶ ×1 ")
        assert footer.startswith(" q Quit")


async def test_in_ascii_the_bar_is_ascii() -> None:
    """It has signs of its own."""
    async with replayed(look=Look(Glyphs.ASCII)) as pilot:
        assert screen_text(pilot).isascii()


async def test_the_keys_go_through_the_run() -> None:
    """The screen shows the step that they lead to."""
    async with replayed() as pilot:
        for keys, step in ((("end",), 99), (("comma", "comma"), 97), (("full_stop",), 98), (("home",), 0)):
            await pilot.press(*keys)
            await turned(pilot)
            assert f"step {step} " in screen_text(pilot)


async def test_a_click_goes_to_that_time() -> None:
    """The middle of the bar is the middle of the run."""
    async with replayed() as pilot:
        bar = pilot.app.screen.query_one(TimeBar)
        middle = (bar._bar.start + bar._bar.stop) // 2
        await pilot.click(TimeBar, offset=(middle, 0))
        assert replay_of(pilot).place.index in range(45, 56)
