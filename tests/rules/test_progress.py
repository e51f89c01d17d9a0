"""What is said of a loss that is too short to judge."""

from __future__ import annotations

import dataclasses
import math

import pytest

from trainhealth import curves
from trainhealth.rules.progress import by_step, too_short
from trainhealth.testing import make_run


@pytest.mark.parametrize(
    ("losses", "because"),
    [
        ([1.0], "the run is too short to tell: 1 value of train_loss"),
        ([1.0] * 99, "the run is too short to tell: 99 values of train_loss"),
        ([1.0, *[math.nan] * 879], "only 1 of 880 values of train_loss is finite"),
        ([1.0] * 60 + [math.inf] * 60, "only 60 of 120 values of train_loss are finite"),
        ([1.0] * 100, None),
    ],
)
def test_a_run_of_nan_is_not_called_short(losses, because):
    """Who waits for more steps of it waits for nothing."""
    run = make_run(losses)
    assert too_short(run, curves.clean(run.series("train_loss"))) == because


@pytest.mark.parametrize(
    ("values", "apart", "watched", "expected"),
    [
        (8, 1, True, True),
        (199, 1, False, False),
        (200, 1, False, True),
        (5000, 10, False, False),
    ],
    ids=["watched", "may be epochs", "hardly epochs", "a value for ten steps"],
)
def test_a_value_stands_for_a_step_where_the_log_says_so(values, apart, watched, expected):
    """In a log of ours, or of another tool's many values at steps that follow one another."""
    run = make_run([1.0] * values, steps=range(0, values * apart, apart))
    assert by_step(run if watched else dataclasses.replace(run, format="csv")) is expected


def test_a_value_an_epoch_stands_for_no_step():
    """However the log came about."""
    assert not by_step(make_run([1.0] * 300, epochs=[{"train_loss": 1.0}] * 300))


def test_another_tools_log_is_judged_by_its_values():
    """Eight may be epochs; ours of as many steps has just begun."""
    run = make_run([1.0] * 8)
    assert too_short(run, run.series("train_loss")) is not None
    assert too_short(dataclasses.replace(run, format="csv"), run.series("train_loss")) is None
