"""GE03: fires where a run that has ended was still getting better, and not where it was done or goes on."""

import dataclasses

import numpy as np
import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.rules.generalization.still_improving import StillImproving
from trainhealth.testing import check_rule, make_run

EPOCHS = np.arange(20)
LINEAR = 0.4 + 0.02 * EPOCHS  # accuracy that rises by two points an epoch: 0.4 -> 0.78


def run_of(ended="closed", **columns):
    rows = [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]
    return dataclasses.replace(make_run((), epochs=rows), ended=ended)


def judge(ended="closed", **columns):
    return check_rule(StillImproving, run_of(ended, **columns))


def rising_towards(limit, pace):
    """An accuracy that comes closer to `limit` by the factor exp(-1 / pace) an epoch."""
    return limit - (limit - 0.1) * np.exp(-EPOCHS / pace)


TEN = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10, "target_shape": [64]}


def judge_losses(losses, ended="closed", **known):
    run = make_run(losses, facts=TEN, **known)
    return check_rule(StillImproving, dataclasses.replace(run, ended=ended))


@pytest.mark.parametrize(("end", "fires"), [(1.3, True), (1.0, False)])
def test_a_warning_where_learning_had_only_begun(end, fires):
    """A straight fall from 2.3 that ends above half of log 10, without any evaluation."""
    losses = np.linspace(2.3, end, 200) + 0.02 * np.random.default_rng(0).standard_normal(200)
    found = judge_losses(losses)
    assert bool(isinstance(found, tuple) and found) is fires
    if fires:
        assert found[0].severity is Severity.WARNING
        assert found[0].message.startswith("Learning had only begun when the run ended: train_loss was at 6")


@pytest.mark.parametrize(("end", "severity"), [(1.4, Severity.WARNING), (2.1, Severity.NOTE)])
def test_a_note_where_validation_does_not_follow(end, severity):
    """What training gains, validation has to gain by half at least."""
    losses = np.linspace(2.3, 1.3, 200) + 0.02 * np.random.default_rng(0).standard_normal(200)
    epochs = [{"validation_loss": float(loss)} for loss in np.linspace(2.3, end, 10)]
    (found,) = judge_losses(losses, epochs=epochs)
    assert found.severity is severity


@pytest.mark.parametrize(
    ("accuracy", "end", "steps", "severity"),
    [
        (LINEAR, 1.3, 40, Severity.WARNING),
        (LINEAR, 1.3, 60, Severity.NOTE),  # who ends there has chosen to
        (LINEAR, 1.0, 40, Severity.NOTE),  # less than half of log 10 is left
        (LINEAR / 4, 1.3, 40, Severity.NOTE),  # half as long again brings three in a hundred
    ],
)
def test_a_warning_where_few_updates_were_made(accuracy, end, steps, severity):
    """Two batches of 1000 an epoch: most is left, and eleven in a hundred are to be had by ten epochs more."""
    rows = [{"validation_accuracy": float(value)} for value in accuracy]
    (found,) = judge_losses(np.geomspace(2.3, end, steps).tolist(), epochs=rows, batch_size=1000)
    assert found.severity is severity
    if severity is Severity.WARNING:
        assert found.recommendations[0].change.to == 128


@pytest.mark.parametrize(("right", "severity"), [(0.5, Severity.WARNING), (0.6, Severity.NOTE)])
def test_a_note_where_most_answers_are_right(right, severity):
    """With ten classes 0.55 is half of what guessing gets wrong: then the loss lags behind."""
    losses = np.linspace(2.3, 1.3, 200) + 0.02 * np.random.default_rng(0).standard_normal(200)
    (found,) = judge_losses(losses, epochs=[{"validation_accuracy": right}] * 4)
    assert found.severity is severity


def test_no_warning_above_the_loss_of_guessing():
    """From ten times as much it has to come down first: that is another illness than a short run."""
    assert isinstance(judge_losses(np.linspace(40.0, 20.0, 200)), NotChecked)  # and evaluations there are none


def test_no_warning_while_it_runs_or_where_it_slows_down():
    """A run that goes on, a loss that comes to a stand, and a rate that was annealed to nothing."""
    falling = np.linspace(2.3, 1.3, 200) + 0.02 * np.random.default_rng(0).standard_normal(200)
    assert isinstance(judge_losses(falling, ended=None), NotChecked)
    assert not isinstance(found := judge_losses(1.3 + np.exp(-np.arange(200) / 20)), tuple) or found == ()
    rates = [0.1 * (1 - step / 200) for step in range(200)]
    assert not isinstance(found := judge_losses(falling, learning_rate=rates), tuple) or found == ()


def test_fires_on_an_accuracy_that_rises_to_the_end():
    """Two points an epoch, and as many more to be had."""
    (found,) = judge(validation_accuracy=LINEAR)
    assert found.severity is Severity.NOTE
    assert "validation_accuracy was still rising when the run ended: 0.6" in found.message
    assert found.recommendations[0].action == "Train for 30 epochs instead of 20."
    assert found.recommendations[0].change.to == 30


@pytest.mark.parametrize(("pace", "fires"), [(10, True), (5, False)])
def test_fires_where_enough_is_left_to_gain(pace, fires):
    """A curve that comes closer to its limit: with 13 % of the way left at the end, and with 2 %."""
    assert bool(judge(validation_loss=1 - rising_towards(0.9, pace))) is fires


def test_an_error_is_never_expected_below_zero():
    """A straight line to an accuracy of 0.94 does not go on to 1.2."""
    (found,) = judge(validation_accuracy=np.linspace(0.4, 0.94, 20))
    assert float(found.message.rstrip(".").split()[-1]) < 1


def test_accuracies_in_per_cent_are_judged_like_fractions():
    """40 to 78 per cent, and 88.0 to 88.4."""
    assert judge(validation_accuracy=100 * LINEAR)
    assert judge(validation_accuracy=np.linspace(88.0, 88.4, 20)) == ()


def test_nothing_is_to_be_gained_beyond_the_last_error():
    """An accuracy that has come to 1."""
    assert judge(validation_accuracy=np.minimum(0.6 + 0.025 * EPOCHS, 1.0)) == ()


# --- not before there is enough ---


def test_waits_for_the_end_of_the_run():
    """While it goes on, it will be trained for longer anyway; a run that broke off did not choose its end."""
    for ended in (None, "exception", "interrupted"):
        assert isinstance(judge(ended, validation_accuracy=LINEAR), NotChecked)


def test_waits_for_eight_evaluations():
    """Four in the last half."""
    assert isinstance(judge(validation_accuracy=LINEAR[:7]), NotChecked)
    assert judge(validation_accuracy=LINEAR[:8])


# --- when it is wrong ---


def test_another_tools_log_is_taken_to_have_ended():
    """It does not say so, and the message leaves it open; the finding is that of a log of ours."""
    run = dataclasses.replace(run_of(None, validation_accuracy=LINEAR), format="keras_csv")
    (found,) = check_rule(StillImproving, run)
    assert found.confidence is StillImproving.confidence
    assert "where the log ends" in found.message


def test_silent_on_a_loss_that_falls_while_the_accuracy_stands():
    """A cross-entropy falls for ever once every answer is right."""
    assert judge(validation_loss=np.exp(-EPOCHS / 8), validation_accuracy=np.full(20, 0.99)) == ()


def test_silent_at_the_end_of_a_schedule():
    """The rate has been annealed to nothing: the last gains are those of the schedule."""
    rows = [{"validation_accuracy": float(value)} for value in LINEAR]
    for last, silent in ((1e-5, True), (0.05, False)):
        rates = np.linspace(0.1, last, 200).tolist()
        run = make_run([1.0] * 200, learning_rate=rates, epochs=rows)
        assert (check_rule(StillImproving, dataclasses.replace(run, ended="closed")) == ()) is silent


def test_silent_on_noise():
    """A flat and noisy accuracy: at most five alarms in a hundred runs."""
    random = np.random.default_rng(0)
    alarms = sum(bool(judge(validation_accuracy=0.8 + random.normal(0, 0.02, 20))) for _ in range(100))
    assert alarms <= 5


def test_silent_where_the_best_lies_behind():
    """Validation turned up long ago and comes down again, not yet below its best."""
    bump = 0.2 + 0.5 * np.exp(-EPOCHS / 1.5) + 0.4 * np.exp(-(((EPOCHS - 11) / 3) ** 2))
    assert judge(validation_loss=bump) == ()


def test_silent_on_a_run_that_has_converged():
    """At its limit for the last ten epochs."""
    assert judge(validation_accuracy=rising_towards(0.9, 2)) == ()


def test_gains_that_grow_are_not_carried_on():
    """0.674, 0.656, 0.62: three times the mean gain of 0.027 from there, and not the last one."""
    losses = [0.9, 0.85, 0.8, 0.75, 0.72, 0.69, 0.676, 0.674, 0.664, 0.656, 0.64, 0.62]
    (found,) = judge(validation_loss=np.array(losses))
    last_half = [float(np.median(part)) for part in np.array_split(losses[6:], 3)]
    expected = last_half[2] - 1.5 * (last_half[0] - last_half[2])
    assert f"brings about {expected:.3g}" in found.message


def after_passes(validation, ended="closed", **known):
    """A hundred steps a pass; train_loss falls in the first of them, from guessing's 2.3 to 0.9."""
    steps = np.arange(100 * len(validation))
    losses = 0.9 + 1.4 * np.exp(-steps / 60) + 0.02 * np.random.default_rng(0).standard_normal(len(steps))
    rows = [{"validation_loss": loss} for loss in validation]
    found = judge_losses(losses.tolist(), ended, epochs=rows, **known)
    return found if isinstance(found, tuple) else ()


@pytest.mark.parametrize(
    ("validation", "fires"),
    [
        ([1.4, 1.0], True),
        ([1.4, 1.2, 1.0, 0.8], True),
        ([1.0, 0.9], False),  # twice the steps: 0.04 of guessing, where less than half is left
        ([1.6, 1.4], True),  # 0.08 of it, where more than half is left
        ([2.0, 1.2, 1.18], False),  # the last pass has brought next to nothing
        ([1.2, 1.3], False),
        ([1.4], False),
        ([1.4, 1.3, 1.2, 1.1, 1.0], False),  # five passes
    ],
)
def test_a_warning_where_each_of_a_few_passes_has_brought_much(validation, fires):
    """By the power law through the evaluations, as much again is to be had."""
    found = after_passes(validation)
    assert bool(found) is fires
    if fires:
        assert found[0].severity is Severity.WARNING
        assert found[0].recommendations[0].change.to == 3 * len(validation)


def test_what_the_next_passes_would_bring_is_said():
    """1.4 after one, 1.0 after two, hence 0.71 after four; not so where the rate has ended, or the run has not."""
    message = after_passes([1.4, 1.0])[0].message
    assert "validation_loss was falling well: 1.4 at half of the run and 1 at its end" in message
    assert "twice the steps bring about 0.71" in message
    assert after_passes([1.4, 1.0], ended=None) == ()
    assert after_passes([1.4, 1.0], learning_rate=np.linspace(0.1, 0.001, 200).tolist()) == ()


def test_a_higher_rate_is_a_change_of_the_setting():
    """Where the rate is known, its threefold is named, and other advice about it can be seen to contradict."""
    losses = np.linspace(2.3, 1.3, 200) + 0.02 * np.random.default_rng(0).standard_normal(200)
    (found,) = judge_losses(losses, learning_rate=1e-3)
    change = found.recommendations[1].change
    assert (change.parameter, change.from_, change.to) == ("learning_rate", 1e-3, 3e-3)
    (found,) = judge_losses(losses)
    assert found.recommendations[1].action.startswith("Or raise the learning rate threefold")


@pytest.mark.parametrize(("mean", "severity"), [(0.2, Severity.NOTE), (0.4, Severity.WARNING)])
def test_a_note_where_the_targets_are_the_inputs(mean, severity):
    """A narrow middle lets a part of an input through: how far its loss can fall is not known."""
    shape = [50, 400]
    squares = {"loss_function": "mse", "loss_reduction": "mean", "target_mean_square": 0.08, "target_std": 0.2}
    facts = squares | {"input_shape": shape, "target_shape": shape, "output_shape": shape}
    batch = {"input_mean": 0.2, "input_std": 0.2, "target_mean": mean, "target_std": 0.2}
    losses = 0.04 * np.linspace(1.0, 0.6, 400) + 1e-4 * np.random.default_rng(0).standard_normal(400)
    run = make_run(losses.tolist(), facts=facts, batch=dict.fromkeys((0, 1, 2), batch))
    (found,) = check_rule(StillImproving, dataclasses.replace(run, ended="closed"))
    assert found.severity is severity
