"""What charts run over."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.cases import run
from trainhealth.series import Epoch, RunView, Series
from trainhealth.testing import make_run
from trainhealth.tui.across import STEPS, Across, Ruler, axes_in, ruler

RUN = run()  # a step every 10 ms, two epochs of 50 steps


def test_a_run_can_be_shown_over_what_its_log_holds() -> None:
    """Epochs need ends of epochs, time needs times; steps are always there."""
    assert axes_in(RUN) == (Across.STEP, Across.EPOCH, Across.TIME)
    assert axes_in(RunView()) == (Across.STEP,)
    assert axes_in(make_run([1.0] * 5)) == (Across.STEP, Across.TIME)
    assert ruler(make_run([1.0] * 5), Across.EPOCH).across is Across.STEP


def test_epochs_begin_at_0_and_end_at_whole_numbers() -> None:
    """The middle of the second epoch is at 1.5, and what follows the last one goes on as fast."""
    scale = ruler(RUN, Across.EPOCH)
    np.testing.assert_allclose(scale.place(np.array([0, 50, 75, 100, 125])), [0.0, 1.0, 1.5, 2.0, 2.5])
    assert scale.label(75) == "epoch 1.50"


def test_time_begins_with_the_first_step() -> None:
    """And an hour's pause is an hour wide."""
    times = np.where(np.arange(100) < 50, 0.0, 3600.0) + 10.0 * np.arange(100) + 1.7e9
    paused = dataclasses.replace(RUN, times=Series("time", np.arange(100), times))
    scale = ruler(paused, Across.TIME)
    assert scale.place(np.array([0, 49, 50])).tolist() == [0.0, 490.0, 4100.0]
    assert scale.label(50) == "1 h 8 min"


def test_a_clock_that_is_set_back_does_not_turn_the_axis_round() -> None:
    """The steps after it stand where the clock had been, until it is there again."""
    times = Series("time", np.arange(4), np.array([0.0, 100.0, 50.0, 120.0]))
    assert ruler(dataclasses.replace(RUN, times=times), Across.TIME).places.tolist() == [0.0, 100.0, 100.0, 120.0]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.data())
def test_a_step_is_found_again_at_its_place(gaps: list[int], data: st.DataObject) -> None:
    """Place and step are each other's inverse wherever no two steps share a place."""
    steps = np.cumsum([0, *gaps])
    places = np.cumsum([0.0, *data.draw(st.lists(st.floats(0.1, 9), min_size=len(gaps), max_size=len(gaps)))])
    scale = Ruler(Across.TIME, steps, places)
    asked = np.array(data.draw(st.lists(st.integers(0, int(steps[-1])), min_size=1)))
    np.testing.assert_allclose(scale.step_at(scale.place(asked)), asked, atol=1e-6)
    assert STEPS.step_at(STEPS.place(asked)).tolist() == asked.tolist()


@given(st.floats(0.0, 1e6), st.floats(1e-3, 1e6), st.integers(20, 200))
def test_no_two_times_of_an_axis_read_alike(first: float, span: float, columns: int) -> None:
    """However far the chart is zoomed in, and however late in the run."""
    ticks = Ruler(Across.TIME, np.array([0, 1]), np.array([0.0, 2e6])).ticks(first, first + span, columns)
    assert len({tick.label for tick in ticks}) == len(ticks) <= columns // 12 + 2
    assert all(first - 1e-6 * span <= tick.position <= first + 1.001 * span for tick in ticks)


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (0.2, ["0", "0.05 s", "0.10 s", "0.15 s", "0.20 s"]),
        (90.0, ["0", "30 s", "60 s", "90 s"]),
        (7200.0, ["0", "30 min", "1 h", "1 h 30 min", "2 h"]),
        (864000.0, ["0", "2 d", "4 d", "6 d", "8 d", "10 d"]),
    ],
)
def test_times_are_labelled_as_clocks_show_them(seconds: float, labels: list[str]) -> None:
    """Half minutes and quarters of an hour, not powers of ten."""
    ticks = Ruler(Across.TIME, np.array([0, 1]), np.array([0.0, seconds])).ticks(0.0, seconds, 60)
    assert [tick.label for tick in ticks] == labels


def test_repeated_and_unordered_epochs_are_no_axis() -> None:
    """A log that lost its order can still be read over steps."""
    odd = dataclasses.replace(RUN, epochs=(Epoch(0, 50, {}), Epoch(1, 20, {})))
    assert Across.EPOCH not in axes_in(odd)
