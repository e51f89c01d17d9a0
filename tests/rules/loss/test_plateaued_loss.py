"""LS04: fires where a loss stands still and high at an unchanged rate, and not at its floor or while it falls."""

from __future__ import annotations

import numpy as np
import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.rules.loss.plateaued_loss import PlateauedLoss
from trainhealth.testing import check_rule, make_run

FALL = np.linspace(2.3, 1.4, 200)
WRONG = [{"train_accuracy": 0.6}] * 10


def noisy(levels, sigma=0.02, seed=0):
    return (np.asarray(levels, float) + np.random.default_rng(seed).normal(0, sigma, len(levels))).tolist()


def judge(losses, **run):
    return check_rule(PlateauedLoss, make_run(losses, **run))


def test_fires_for_a_plateau_far_from_the_floor():
    """A note and a hint, from where it begins, with a tenth of the rate."""
    (found,) = judge(noisy([*FALL, *[1.4] * 400]), learning_rate=0.1)
    assert (found.severity, found.confidence) == (Severity.NOTE, Confidence.HINT)
    assert abs(found.first_step - 200) < 60
    assert found.recommendations[0].change.to == 0.01


def test_fires_for_a_plateau_of_two_fifths_and_not_below():
    """Shorter rests are part of any curve."""
    assert judge(noisy([*FALL, *[1.4] * 180]))
    assert judge(noisy([*FALL, *[1.4] * 80])) == ()


def test_fires_lower_down_where_the_answers_are_known_to_be_wrong():
    """A third of the first loss may be the floor; with an accuracy of 0.6 there is something left."""
    losses = noisy([*np.linspace(2.3, 0.8, 200), *[0.8] * 400])
    assert judge(losses) == ()
    assert judge(losses, epochs=WRONG)
    assert judge(losses, epochs=[{"train_accuracy": 0.95}] * 10) == ()


def test_silent_on_a_converged_run():
    """At the floor a loss has to stand still."""
    assert judge(noisy([*np.linspace(2.3, 0.05, 200), *[0.05] * 800], 0.005)) == ()


def test_silent_while_it_creeps():
    """A tenth of the progress in the second half is progress."""
    assert judge(noisy([*FALL, *np.linspace(1.4, 1.25, 400)])) == ()


def test_silent_where_the_rate_falls_or_has_been_cut():
    """A schedule is at work; at a hundredth of the rate the loss settles."""
    losses = noisy([*FALL, *[1.4] * 400])
    assert judge(losses, learning_rate=np.linspace(0.1, 0.0, 600).tolist()) == ()
    assert judge(losses, learning_rate=[0.1] * 150 + [0.001] * 450) == ()


@pytest.mark.parametrize(("level", "fires"), [(2.2, True), (2.3, False)])
def test_silent_at_the_loss_of_guessing(level, fires):
    """From 9 to log 10 nothing was learnt: the weights of the start were healed."""
    losses = noisy(np.concatenate([np.linspace(9.0, level, 50), np.full(350, level)]))
    facts = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10}
    assert bool(judge(losses, facts=facts)) is fires


def test_silent_on_negative_losses_and_on_losses_that_never_fell():
    """They have no floor to be far from, or another name."""
    assert judge(noisy([*np.linspace(-1, -3, 200), *[-3] * 400])) == ()
    assert judge(noisy([2.3] * 600)) == ()


def test_waits_for_a_hundred_steps_and_is_not_checked_with_rewards():
    """Too early, and no measure."""
    assert isinstance(judge(noisy([2.3] * 50)), NotChecked)
    assert isinstance(judge(noisy([*FALL, *[1.4] * 400]), epochs=[{"reward": 1.0}]), NotChecked)
