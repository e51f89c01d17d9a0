"""LS06: fires where the means of epochs swing, and not where single batches are noisy."""

from __future__ import annotations

import numpy as np
import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.rules.loss.oscillating_loss import OscillatingLoss
from trainhealth.testing import check_rule, make_run

EPOCHS, EACH = 40, 25
FALL = np.repeat(1.5 * np.exp(-np.arange(EPOCHS) / 3) + 0.5, EACH)


def curve(swing, noise=0.05, seed=0):
    """A curve whose epochs lie up and down by `swing` (standard deviation), with batches of `noise`."""
    random = np.random.default_rng(seed)
    swings = np.repeat(random.normal(0, swing, EPOCHS), EACH)
    return (FALL + swings + random.normal(0, noise, len(FALL))).tolist()


def judge(losses, **run):
    return check_rule(OscillatingLoss, make_run(losses, **{"epochs": [{}] * EPOCHS, **run}))


def by_epoch(swing, seed=0):
    losses = np.array(curve(swing, 0.0, seed)).reshape(EPOCHS, EACH).mean(axis=1)
    return make_run((), epochs=[{"train_loss": loss} for loss in losses])


def test_fires_for_swings_of_epochs_beyond_the_noise_of_batches():
    """The message has the swing and what noise explains, the advice a third of the rate."""
    (found,) = judge(curve(0.15), learning_rate=0.3)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.LIKELY)
    assert found.first_step >= 475
    assert found.recommendations[0].change.to == pytest.approx(0.1)
    assert "epoch" in found.message


def test_fires_above_a_tenth_of_the_level_and_not_below():
    """Half of it is a ripple."""
    assert judge(curve(0.18))
    assert judge(curve(0.03)) == ()


def test_fires_for_a_log_by_epoch_as_a_hint():
    """There is no batch noise to compare with: only gross swings are a warning."""
    (found,) = check_rule(OscillatingLoss, by_epoch(0.3))
    assert found.confidence is Confidence.HINT
    assert check_rule(OscillatingLoss, by_epoch(0.05)) == ()


@pytest.mark.parametrize("noise", [0.05, 0.5, 2.0])
def test_silent_on_noisy_batches(noise):
    """However noisy: over many draws the means of independent batches are no swing."""
    assert sum(bool(judge(curve(0.0, noise, seed))) for seed in range(20)) <= 1


def test_silent_where_epochs_are_unknown_and_batches_noisy():
    """Stretches are compared instead."""
    assert judge(curve(0.0, 0.5), epochs=()) == ()


def test_silent_while_the_loss_falls():
    """Swings that go with progress are the way down."""
    losses = np.array(curve(0.1)) + np.linspace(3, 0, len(FALL))
    assert judge(losses.tolist()) == ()


def test_silent_where_the_rate_has_been_lowered_or_restarted():
    """It swung before; and a restart is meant to."""
    steps = np.arange(len(FALL))
    assert judge(curve(0.15), learning_rate=np.where(steps < 450, 0.3, 0.003).tolist()) == ()
    assert judge(curve(0.15), learning_rate=(0.2 + 0.1 * np.cos(steps % 250 / 250 * np.pi)).tolist()) == ()


def test_waits_for_eight_epochs_in_the_second_half():
    """Fewer have no scatter to speak of."""
    few = make_run((), epochs=[{"train_loss": loss} for loss in (2.0, 0.5, 1.5, 0.6, 1.4, 0.5, 1.6, 0.4)])
    assert isinstance(check_rule(OscillatingLoss, few), NotChecked)


def test_not_checked_with_rewards():
    """Losses of reinforcement learning swing by nature."""
    assert isinstance(judge(curve(0.2), epochs=[{"reward": 1.0}] * EPOCHS), NotChecked)
