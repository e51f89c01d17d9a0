"""What is said of a loss that is too short to judge."""

from __future__ import annotations

import math

import pytest

from trainhealth import curves
from trainhealth.rules.progress import too_short
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
