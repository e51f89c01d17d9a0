"""RU07: fires where no evaluation sees what is learnt, and not where rounding or rest make them alike."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import trainhealth
from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.rules.run.frozen_evaluation import FrozenEvaluation
from trainhealth.testing import check_rule, make_run

EPOCH = 20
FULL = 1.38721693  # as a float of single precision is logged
RANDOM = np.random.default_rng(0)


def falling(epochs: int, to: float = 0.3) -> np.ndarray:
    """Return the losses of each step of `epochs` epochs, on their way from 1.4 to `to`, with noise."""
    steps = epochs * EPOCH
    return np.linspace(1.4, to, steps) + RANDOM.normal(0, 0.02, steps)


def judge(losses, validation, of="trainhealth"):
    """Judge a run of these losses, and of these results at the ends of its epochs."""
    run = make_run(list(losses), epochs=[{"validation_loss": value} for value in validation])
    return check_rule(FrozenEvaluation, dataclasses.replace(run, format=of))


def test_fires_on_a_copy_that_nobody_trains():
    """The number, how often, and what training did meanwhile."""
    (found,) = judge(falling(8), [FULL] * 8)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.LIKELY)
    assert found.message.startswith("validation_loss is 1.38721693 in each of 8 evaluations (steps 20 to 160)")
    assert found.first_step == EPOCH


def test_waits_for_three_evaluations():
    """One result may have been written twice."""
    assert judge(falling(3), [FULL] * 3)
    assert isinstance(judge(falling(2), [FULL] * 2), NotChecked)


@pytest.mark.parametrize(("value", "least"), [(1.3872, 5), (1.387, 5)])
def test_of_rounded_numbers_it_takes_more_and_they_are_a_hint(value, least):
    """A console's four digits."""
    (found,) = judge(falling(least), [value] * least)
    assert found.confidence is Confidence.HINT
    assert judge(falling(least - 1), [value] * (least - 1)) == ()


def test_another_tools_log_is_a_hint():
    """Who wrote it may have written one result again and again."""
    (found,) = judge(falling(8), [FULL] * 8, of="csv")
    assert found.confidence is Confidence.HINT


def test_a_table_of_epochs(tmp_path):
    """Both losses stand in one row."""
    rows = [f"{epoch},{1.4 - 0.15 * epoch + 0.01 * (-1) ** epoch:.4f},1.3872" for epoch in range(7)]
    table = tmp_path / "history.csv"
    table.write_text("\n".join(["epoch,loss,val_loss", *rows]) + "\n")
    (found,) = check_rule(FrozenEvaluation, trainhealth.load(table).view)
    assert found.confidence is Confidence.HINT
    assert "in each of 7 evaluations" in found.message


@given(st.floats(0.01, 10.0), st.integers(3, 12), st.integers(0, 11), st.floats(1e-9, 1e-2))
def test_one_evaluation_that_differs_suffices(value, count, which, by):
    """Averaged weights that follow slowly change the last digits only."""
    values = [value] * count
    values[which % count] *= 1 + by
    assert judge(np.linspace(1.4, 0.3, count * 4), values) == ()


# --- when it is wrong ---


@pytest.mark.parametrize(
    "value", [0.0, 100.0, 0.45, 1e9, -1.0, 1.3828125, float(np.float16(0.6931))], ids=lambda value: f"{value}"
)
def test_numbers_that_stand_for_many(value):
    """A place is held, two digits are written, or the loss was computed in half precision."""
    assert judge(falling(12), [value] * 12) == ()


@pytest.mark.parametrize("to", [1.4, 1.35])
def test_without_learning_nothing_is_to_be_seen(to):
    """Dead units, or a rate of 0: train_loss stands as well, but for its noise."""
    assert judge(falling(12, to), [FULL] * 12) == ()


def test_a_rate_that_has_fallen_to_zero_before_the_second_evaluation():
    """What was learnt before the first one is no change to it."""
    losses = np.concatenate([falling(1), 0.3 + RANDOM.normal(0, 0.02, 7 * EPOCH)])
    assert judge(losses, [FULL] * 8) == ()


def test_evaluations_before_training():
    """Several results at step 0 say nothing of training."""
    run = make_run(list(falling(4)), evaluations={0: {"validation_loss": FULL}})
    assert isinstance(check_rule(FrozenEvaluation, run), NotChecked)


def test_losses_that_are_not_finite():
    """A NaN falls nowhere."""
    losses = falling(8)
    losses[-1] = np.nan
    assert judge(losses, [FULL] * 8)
    assert judge([np.nan] * 160, [FULL] * 8) == ()
