"""LS08: fires where the loss was flat for long and then fell, and not after a warm-up or a slow fall."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.records import LayerEntry
from trainhealth.rules.loss.late_start import LateStart
from trainhealth.testing import check_rule, make_run


def late(flat, total=1000, sigma=0.02):
    fall = 2.0 * np.exp(-np.arange(total - flat) / 80) + 0.3
    return (np.concatenate([[2.3] * flat, fall]) + np.random.default_rng(0).normal(0, sigma, total)).tolist()


def judge(losses, **run):
    return check_rule(LateStart, make_run(losses, **run))


@pytest.mark.parametrize(("flat", "severity"), [(150, Severity.NOTE), (400, Severity.WARNING)])
def test_fires_for_a_start_that_comes_late(flat, severity):
    """A note from a tenth of the run on, a warning from a fifth."""
    (found,) = judge(late(flat))
    assert found.severity is severity
    assert found.first_step == 0
    assert abs(found.evidence[0].last_step - flat) < 60


def test_silent_below_a_tenth_of_the_run_and_below_a_hundred_steps():
    """Every run takes some steps."""
    assert judge(late(40)) == ()
    assert judge(late(60, 300)) == ()


def test_silent_for_a_loss_without_a_bottom():
    """A sign that is wrong: -1.05 looks flat beside the -1e18 that it falls to."""
    assert judge((-1.05 - 0.01 * np.exp(np.arange(300) / 7)).tolist()) == ()


def test_fires_for_epochs_too():
    """Ten flat epochs of forty."""
    run = make_run((), epochs=[{"train_loss": loss} for loss in late(10, 40)])
    assert check_rule(LateStart, dataclasses.replace(run, format="csv"))


@pytest.mark.parametrize(("flat", "total", "severity"), [(4, 12, Severity.NOTE), (10, 30, Severity.WARNING)])
def test_a_handful_of_printed_values_is_a_note(flat, total, severity):
    """Four epochs of twelve are a third of the run, and hardly a long while."""
    fall = 2.0 * np.exp(-np.arange(total - flat) / 2) + 0.3
    run = make_run((), epochs=[{"train_loss": loss} for loss in [*[2.3] * flat, *fall.tolist()]])
    (found,) = check_rule(LateStart, dataclasses.replace(run, format="text"))
    assert found.severity is severity


def test_advice_about_the_rate_can_be_told_from_its_contrary():
    """Beside a finding that wants a lower rate, a higher one is no advice: the change says which it is."""
    advice = judge(late(400), learning_rate=0.01)[0].recommendations[-1]
    assert "(now 0.01)" in advice.action
    assert (advice.change.parameter, advice.change.from_, advice.change.to) == ("learning_rate", 0.01, 0.03)
    assert judge(late(400))[0].recommendations[-1].change is None


def test_epochs_of_one_step_are_steps():
    """A training set that is one batch: 17 of 80 steps, or 60 of 300, are no long while; 120 of 300 are."""
    assert judge(late(17, 80), epochs=[{}] * 80) == ()
    assert judge(late(60, 300), epochs=[{}] * 300) == ()
    assert judge(late(120, 300), epochs=[{}] * 300)


@pytest.mark.parametrize(
    ("kind", "severity"), [("GRU", Severity.NOTE), ("LSTMCell", Severity.NOTE), ("Linear", Severity.WARNING)]
)
def test_a_note_in_recurrent_models(kind, severity):
    """What they have to remember is found first."""
    (found,) = judge(late(400), layers=[LayerEntry(name="body", type=kind)])
    assert found.severity is severity


def test_says_the_level_at_which_the_loss_stayed():
    """Not that of the first values, which were a little higher."""
    losses = np.array(late(400, sigma=0.002))
    losses[:40] += 0.03
    (found,) = judge(losses.tolist())
    assert found.message.startswith("train_loss stayed at 2.3 for")


def test_names_the_initialisation_that_suits_the_activation():
    """He for ReLU, Xavier for tanh."""
    for activation, name in (("relu", "(He)"), ("tanh", "(Xavier)")):
        layers = [LayerEntry(name="a", type="Linear"), LayerEntry(name="f", type=activation, activation=activation)]
        (found,) = judge(late(400), layers=layers)
        assert name in found.recommendations[0].action


def test_silent_where_the_rate_was_warming_up():
    """The flat stretch counts from the end of the warm-up."""
    rates = [min(1.0, (step + 1) / 300) for step in range(1000)]
    assert judge(late(350), learning_rate=rates) == ()


def test_silent_on_slow_falls_bumps_and_flat_losses():
    """They leave their start at once, upwards, or never."""
    noise = np.random.default_rng(0).normal(0, 0.02, 1000)
    assert judge((np.linspace(2.3, 0.3, 1000) + noise).tolist()) == ()
    assert judge((np.concatenate([[2.3] * 150, [4.0] * 150, np.linspace(2.3, 0.3, 700)]) + noise).tolist()) == ()
    assert judge((2.3 + noise).tolist()) == ()


def test_silent_where_a_spike_comes_back_to_the_start():
    """The loss had been low before: that is no late start."""
    losses = [0.5, *(0.4 * np.exp(-np.arange(12) / 3)), 0.5, *(0.4 * np.exp(-np.arange(20) / 3))]
    assert check_rule(LateStart, make_run((), epochs=[{"train_loss": loss} for loss in losses])) == ()


def test_silent_where_noise_hides_the_start():
    """With batches of +- 2 nobody can say when it fell."""
    assert judge(late(300, sigma=2.0)) == ()


def test_not_checked_early_and_with_rewards():
    """Too short; no measure."""
    assert isinstance(judge(late(100, 180)), NotChecked)
    assert isinstance(judge(late(400), epochs=[{"reward": 1.0}]), NotChecked)


def test_a_share_of_a_short_run_is_a_note():
    """250 flat steps of 1,000 steps in one epoch; 350 are long by themselves, and so are four epochs."""
    epochs = [{"validation_loss": 1.0}] * 20
    for flat, run, severity in (
        (250, {}, Severity.NOTE),
        (350, {}, Severity.WARNING),
        (250, {"epochs": epochs}, Severity.WARNING),
    ):
        (found,) = judge(late(flat), **run)
        assert found.severity is severity


def test_silent_on_a_slow_fall():
    """Noisy batches hide a fall of a tenth of the whole in the first third; no step of it was wasted."""
    slow = np.concatenate([np.linspace(2.3, 2.1, 330), 2.1 * np.exp(-np.arange(670) / 150) + 0.02])
    noisy = slow + np.random.default_rng(0).normal(0, 0.15, len(slow))
    assert judge(noisy.tolist()) == ()


@pytest.mark.parametrize(("start", "fires"), [(6.0, True), (2.3, True), (None, False)])
def test_a_start_above_guessing_is_looked_at_from_there(start, fires):
    """Weights that are too large are mended in forty steps; what follows at log 10 is the start, or falls at once."""
    facts = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10, "target_shape": [64]}
    losses = late(400, sigma=0.005) if start else late(40, sigma=0.005)
    above = np.linspace(start or 6.0, 2.3, 40)
    assert bool(judge([*above[:-1], *losses], facts=facts)) is fires


def test_another_tools_log_may_stand_at_the_logarithm_of_two():
    """0.72, then thirty epochs at 0.693: what guessing between two classes costs; 0.66 is not known to be that."""
    for level, fires in ((0.6935, True), (0.66, False)):
        losses = [0.72, *[level] * 29, *np.linspace(level, 0.45, 70)]
        run = dataclasses.replace(make_run((), epochs=[{"train_loss": loss} for loss in losses]), format="keras_csv")
        assert bool(check_rule(LateStart, run)) is fires
