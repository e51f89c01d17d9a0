"""LS05: fires for jumps that take steps to heal, and not for hard batches, restarts or a harder task."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.rules.loss.loss_spikes import LossSpikes
from trainhealth.testing import check_rule, make_run

STEPS = np.arange(1000)
LEARNING = 2.0 * np.exp(-STEPS / 100) + 0.3


def curve(*spikes, length=25, height=1.5, levels=LEARNING, share=0.05):
    losses = np.array(levels, float)
    for at in spikes:
        healing = np.arange(min(length, len(losses) - at))
        losses[at : at + length] += height * np.exp(-healing / (length / 2))
    return (losses * (1 + np.random.default_rng(0).normal(0, share, len(losses)))).tolist()


def judge(losses, **run):
    return check_rule(LossSpikes, make_run(losses, **run))


@pytest.mark.parametrize(
    ("spikes", "severity"), [((400,), Severity.NOTE), ((300, 700), Severity.NOTE), ((300, 500, 800), Severity.WARNING)]
)
def test_fires_for_every_spike_and_warns_of_three(spikes, severity):
    """One finding, with a piece of evidence a spike."""
    (found,) = judge(curve(*spikes))
    assert found.severity is severity
    assert [evidence.first_step for evidence in found.evidence] == list(spikes)
    assert found.first_step == spikes[0]


def test_fires_just_above_a_quarter_of_the_progress_and_not_below():
    """The progress by then is two; the median of the first nine values is some seven tenths of the peak."""
    assert judge(curve(500, height=0.9))
    assert judge(curve(500, height=0.55)) == ()


def test_fires_for_one_epoch_far_above_its_neighbours():
    """A value that stands for an epoch need not last."""
    losses = [2.0 * math.exp(-epoch / 6) + 0.3 + 0.01 * (-1) ** epoch for epoch in range(40)]
    losses[30] = 2.0
    assert check_rule(LossSpikes, make_run((), epochs=[{"train_loss": loss} for loss in losses]))


def test_advises_clipping_at_the_usual_gradient_norm():
    """The median before the first spike."""
    (found,) = judge(curve(300, 500, 800), gradient_norm=[1.7] * 300 + [9.0] * 700)
    assert "1.7" in found.recommendations[0].action


def test_a_few_norms_before_a_jump_are_no_limit_for_clipping():
    """They may be as steep as the jump itself: "clip at 280,000" clips nothing."""
    (found,) = judge(curve(400), gradient_norm=[math.nan] * 395 + [280_000.0] * 605)
    assert found.recommendations[0].action == "Clip the gradient norm at 1."


def test_its_lower_rate_can_be_told_from_a_higher_one():
    """Of two findings that contradict each other, the later one's advice is dropped: the change says what it is."""
    advice = judge(curve(300, 500, 800), learning_rate=0.03)[0].recommendations[1]
    assert (advice.change.parameter, advice.change.from_, advice.change.to) == ("learning_rate", 0.03, 0.01)
    assert judge(curve(300, 500, 800))[0].recommendations[1].change is None


def test_silent_on_hard_batches():
    """Single values, even many of them."""
    losses = np.array(curve())
    losses[100::50] += 3.0
    assert judge(losses.tolist()) == ()


def test_silent_on_the_noise_of_small_batches():
    """Skewed losses, lognormal with sigma 1: never a warning, and a note in at most one run of ten."""
    runs = [(LEARNING * np.random.default_rng(seed).lognormal(0, 1, 1000)).tolist() for seed in range(40)]
    found = [finding.severity for losses in runs for finding in judge(losses)]
    assert found.count(Severity.WARNING) == 0
    assert len(found) <= 4


def test_silent_on_a_harder_task():
    """A curriculum's step takes long to learn, and may never come back to the old level."""
    assert judge(curve(500, length=500, height=1.5)) == ()


def test_silent_on_restarts():
    """A warm restart lifts the loss, and says so in the rate."""
    rates = (0.05 + 0.05 * np.cos(STEPS % 250 / 250 * np.pi)).tolist()
    losses = curve(250, 500, 750, length=30)
    assert judge(losses)
    assert judge(losses, learning_rate=rates) == ()


def test_silent_on_a_rise_for_good():
    """That is a divergence."""
    assert judge(curve(levels=[*LEARNING[:600], *[3.0] * 400])) == ()


def test_not_checked_early_and_with_rewards():
    """Too short; no measure."""
    assert isinstance(judge(curve()[:80]), NotChecked)
    assert isinstance(judge(curve(300, 500, 800), epochs=[{"reward": 1.0}]), NotChecked)


def test_a_jump_by_thousands_needs_no_length_of_run():
    """Ten values, three of them a million times the others; what the log ends with is another rule's."""
    losses = [148.0, 5e9, 139.0, 4e13, 142.0, 141.0, 1e14, 140.0, 127.0, 135.0]
    (found,) = judge(losses)
    assert found.severity is Severity.WARNING
    assert found.message == "train_loss jumped 3 times (step 1, 3, 6), at worst from 148 to 1e+14 at step 6."
    assert isinstance(judge([*losses[:1], *[140.0] * 8, 1e9]), NotChecked)


def test_a_loss_that_falls_by_thousands_has_not_jumped():
    """Neither its start, nor what lies above a first value that was low by chance, is a thousand times the start."""
    assert isinstance(judge([1e6, 1e5, 1e4, *[1.0] * 20]), NotChecked)
    assert isinstance(judge([150.0, 13000.0, 400.0, *[0.06] * 20]), NotChecked)


def test_silent_on_units_of_the_last_digit():
    """5.56 between values of 5.54 and 5.55 is rounding; 5.58 is a jump, where nothing had been learnt before."""

    def with_jump(height):
        losses = [5.54 if epoch % 4 else 5.55 for epoch in range(40)]
        losses[30] = height
        run = make_run((), epochs=[{"train_loss": loss} for loss in losses])
        return check_rule(LossSpikes, run, height=0.0, sigmas=1.0)

    assert with_jump(5.56) == ()
    assert with_jump(5.58)
