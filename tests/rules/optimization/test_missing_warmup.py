"""OP04: fires where the first steps blow the loss up, and not for bumps, warmed-up rates or low first batches."""

from __future__ import annotations

import numpy as np
import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.rules.optimization.missing_warmup import MissingWarmup
from trainhealth.testing import check_rule, make_run

CLASSES = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10}


def curve(peak, length=20, begin=2.3):
    """An explosion that begins with the second step and heals over `length`, then a fall."""
    healing = begin + (peak - begin) * np.exp(-np.arange(length) / (length / 4))
    losses = np.concatenate([[begin], healing, begin * np.exp(-np.arange(400) / 80) + 0.1])
    return (losses * (1 + np.random.default_rng(0).normal(0, 0.01, len(losses)))).tolist()


def judge(losses, **run):
    return check_rule(MissingWarmup, make_run(losses, **{"learning_rate": 0.1, "facts": CLASSES, **run}))


def test_fires_for_an_explosion_of_the_first_steps():
    """Above three times the original cost it is a warning, and names the rate and the way up to it."""
    (found,) = judge(curve(30))
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.LIKELY)
    assert "full learning rate of 0.1" in found.message
    assert found.recommendations[0].recipe == "warm-up"


def test_fires_just_above_the_limit_and_not_below():
    """The median of five at its highest is somewhat below the peak."""
    assert judge(curve(9.5))
    assert judge(curve(5.0)) == ()


def test_a_hint_where_guessing_is_unknown():
    """The first value may be low by chance: three times it, and a note."""
    (found,) = judge(curve(30), facts=None)
    assert (found.severity, found.confidence) == (Severity.NOTE, Confidence.HINT)


def test_silent_on_a_first_batch_that_is_easy_by_chance():
    """Fine-tuning from a low loss up to that of guessing is no explosion."""
    assert judge(curve(5.0, begin=0.5)) == ()


@pytest.mark.parametrize("seed", [2, 8])
def test_silent_on_a_low_first_value_among_heavy_tailed_ones(seed):
    """Squared errors of one example each: the first is a lucky one, and others in the "shock" are as low."""
    losses = np.random.default_rng(seed).standard_normal(3000) ** 2 * np.exp(-np.arange(3000) / 500)
    losses[0] = 0.1
    assert judge(losses.tolist(), facts=None) == ()


def test_silent_on_single_hard_batches():
    """Two of five values don't move their median."""
    losses = curve(2.4)
    losses[3] = losses[9] = losses[10] = 50.0
    assert judge(losses) == ()


@pytest.mark.parametrize("steps", [30, 100])
def test_silent_after_a_warm_up(steps):
    """It was there, be it too short: another rate is the cure."""
    rates = [min(1.0, (step + 1) / steps) for step in range(421)]
    assert judge(curve(30), learning_rate=rates) == ()


def test_silent_on_an_explosion_that_does_not_come_back():
    """A divergence."""
    assert judge([2.3, *[30.0] * 400]) == ()


def test_silent_on_negative_losses():
    """They have no multiples."""
    assert judge((np.array(curve(30)) - 10).tolist()) == ()


def test_not_checked_where_the_first_steps_are_not_logged():
    """One value an epoch, or every fiftieth step."""
    losses = curve(30)
    assert isinstance(check_rule(MissingWarmup, make_run((), epochs=[{"train_loss": x} for x in losses])), NotChecked)
    assert isinstance(judge(losses, steps=[50 * i for i in range(len(losses))]), NotChecked)
    assert isinstance(judge(losses[:50]), NotChecked)


def test_a_note_where_the_shock_is_over_within_ten_steps():
    """Batch norm and momentum heal a bad first step by themselves: nothing was lost."""
    losses = curve(0.0, length=1)
    losses[1:6] = [30.0, 28.0, 25.0, 20.0, 9.0]
    (found,) = judge(losses)
    assert found.severity is Severity.NOTE


@pytest.mark.parametrize(("peak", "severity"), [(3600, Severity.WARNING), (100, Severity.NOTE)])
def test_a_loss_that_is_thrown_away_is_a_warning_at_any_length(peak, severity):
    """Six steps to come back: from more than a hundred times the first loss, what was drawn well is lost."""
    (found,) = judge(curve(peak, length=8))
    assert found.severity is severity
