"""How long a run will take."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from trainhealth.records import RunInfo
from trainhealth.series import RunView
from trainhealth.testing import make_run
from trainhealth.tui.remaining import planned_epochs, planned_steps, seconds_left


def planning(times: list[float] | None = None, *, total: int | None = None, **more: Any) -> RunView:
    """Return a run of 100 steps, a second each unless `times` says otherwise, in two epochs."""
    hyperparameters = more.pop("hyperparameters", {})
    info = RunInfo(name="run", total_steps=total, hyperparameters=hyperparameters)
    view = make_run([1.0] * 100, info=info, epochs=[{"validation_loss": 1.0}] * more.pop("epochs", 2))
    values = np.arange(100.0) if times is None else np.array(times)
    return dataclasses.replace(view, times=dataclasses.replace(view.times, values=values), **more)


def test_what_the_script_says_comes_first() -> None:
    """A hundred steps of a thousand are done, a second each."""
    view = planning(total=1000, hyperparameters={"epochs": 3})
    assert planned_steps(view) == 1000
    assert seconds_left(view) == pytest.approx(900)


@pytest.mark.parametrize("name", ["epochs", "num_epochs", "max_epochs", "n_epochs", "num_train_epochs"])
def test_planned_epochs_tell_the_steps(name: str) -> None:
    """Two epochs of ten in a hundred steps."""
    view = planning(hyperparameters={name: 10})
    assert planned_epochs(view) == 10
    assert planned_steps(view) == 500
    assert seconds_left(view) == pytest.approx(400)


@pytest.mark.parametrize("epochs", ["10", None, True, -1, 0, math.nan, math.inf, [10]])
def test_what_is_no_number_of_epochs_plans_none(epochs: object) -> None:
    """People log what they like."""
    assert planned_epochs(planning(hyperparameters={"epochs": epochs})) is None
    assert math.isnan(seconds_left(planning(hyperparameters={"epochs": epochs})))


def test_before_the_first_epoch_has_ended_nothing_is_promised() -> None:
    """How many steps it has is not known."""
    assert planned_steps(planning(hyperparameters={"epochs": 10}, epochs=0)) is None
    assert math.isnan(seconds_left(make_run([1.0], info=RunInfo(name="run", total_steps=100))))


def test_evaluations_take_time_too() -> None:
    """Steps of a second, and a minute after every twenty-fifth: the pace is that of both."""
    times = [step + 60.0 * (step // 25) for step in range(100)]
    assert seconds_left(planning(times, total=200)) == pytest.approx(100 * (99 + 180) / 99, rel=0.01)


def test_the_night_before_a_run_was_resumed_does_not_count() -> None:
    """Neither the pause nor the pace before it."""
    times = [*np.arange(80.0) * 10, *(100_000.0 + np.arange(20.0))]
    assert seconds_left(planning(times, total=200, resumed=(80,))) == pytest.approx(100)


def test_a_run_that_goes_beyond_its_plan_has_nothing_left() -> None:
    """Never a negative time."""
    assert seconds_left(planning(total=50)) == 0
    assert math.isnan(seconds_left(planning([0.0] * 100, total=1000)))
