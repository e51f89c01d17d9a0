"""OP14: fires where the rate is next to nothing for a good part of the run, and not where that costs nothing."""

from __future__ import annotations

import numpy as np
import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.rules.optimization.collapsed_learning_rate import CollapsedLearningRate
from trainhealth.testing import check_rule, make_run

STEPS = np.arange(1000)


def noisy(levels, share=0.02):
    return (np.asarray(levels) * (1 + np.random.default_rng(0).normal(0, share, len(levels)))).tolist()


def stopped(at):
    """A fall that ends when the rate does."""
    return noisy(2.3 * np.exp(-np.minimum(STEPS, at) / 300))


def judge(losses, rates, **run):
    return check_rule(CollapsedLearningRate, make_run(losses, learning_rate=list(rates), **run))


def test_fires_for_a_scheduler_that_is_stepped_too_often():
    """The schedule by name, since when, and how much of the run was lost."""
    (found,) = judge(stopped(60), 0.1 * 0.5 ** (STEPS // 10))
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.LIKELY)
    assert found.first_step == 100
    assert "90%" in found.message
    assert "step decay" in found.message


def test_fires_above_a_fifth_of_the_run_and_not_below():
    """The rest of a run may be spent on settling."""
    assert judge(stopped(700), np.where(STEPS < 750, 0.1, 1e-5))
    assert judge(stopped(700), np.where(STEPS < 850, 0.1, 1e-5)) == ()


@pytest.mark.parametrize(("low", "fires"), [(0.9e-4, True), (1.1e-4, False)])
def test_fires_at_a_thousandth_of_the_peak(low, fires):
    """Three cuts by ten end just at it."""
    assert bool(judge(stopped(300), np.where(STEPS < 300, 0.1, low))) is fires


def test_a_rate_of_zero_throughout_is_certain():
    """Nothing can have moved."""
    (found,) = judge(noisy([2.3] * 1000), [0.0] * 1000)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.CERTAIN)


def test_a_note_where_the_loss_had_stood_still_before():
    """A scheduler that waits for plateaus has found one."""
    losses = noisy(np.maximum(2.3 - STEPS / 100, 1.0), 0.005)
    (found,) = judge(losses, np.where(STEPS < 600, 0.1, 1e-6))
    assert found.severity is Severity.NOTE


@pytest.mark.parametrize(
    "rates",
    [
        0.05 * (1 + np.cos(np.pi * STEPS / 1000)),
        0.1 * (1 - STEPS / 1000),
        0.1 * 0.1 ** (STEPS // 300),
        np.minimum((STEPS + 1) / 100, 1) * 0.1,
        0.1 * 0.01 ** (STEPS / 1000),
        0.05 * (1 + np.cos(np.pi * (STEPS % 250) / 250)),
    ],
    ids=["cosine", "linear", "step", "warm-up", "exponential", "restarts"],
)
def test_silent_on_schedules_that_reach_to_the_end(rates):
    """Whatever the loss does."""
    assert judge(stopped(300), rates) == ()


def test_silent_where_nothing_was_left_to_learn():
    """At the floor, or with an accuracy of 0.99."""
    collapsed = np.where(STEPS < 500, 0.1, 1e-7)
    assert judge(noisy(2.3 * np.exp(-np.minimum(STEPS, 500) / 100)), collapsed) == ()
    assert judge(stopped(300), collapsed, epochs=[{"validation_accuracy": 0.99}] * 10) == ()


def test_not_checked_early_with_rewards_or_without_rates():
    """Nine steps; no measure; nothing to look at."""
    assert isinstance(judge([2.3] * 9, [0.0] * 9), NotChecked)
    assert isinstance(judge(stopped(60), 0.1 * 0.5 ** (STEPS // 10), epochs=[{"reward": 1.0}]), NotChecked)
    assert isinstance(check_rule(CollapsedLearningRate, make_run(stopped(60))), NotChecked)
