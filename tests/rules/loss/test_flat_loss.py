"""LS03: fires where the loss provably does not fall, and not where it is low, late, hidden by noise or no measure."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.rules.loss.flat_loss import FlatLoss
from trainhealth.series import Series
from trainhealth.testing import check_rule, make_run

CLASSES = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10}


def noisy(levels, sigma=0.02, seed=0):
    return (np.asarray(levels, float) + np.random.default_rng(seed).normal(0, sigma, len(levels))).tolist()


def judge(losses, **run):
    return check_rule(FlatLoss, make_run(losses, **run))


def test_fires_for_a_loss_that_stays_at_guessing():
    """Where guessing is known it is likely, else a hint; from the first value on."""
    (known,) = judge(noisy([2.303] * 300), facts=CLASSES)
    (unknown,) = judge(noisy([2.303] * 300))
    assert (known.severity, known.confidence) == (Severity.WARNING, Confidence.LIKELY)
    assert unknown.confidence is Confidence.HINT
    assert known.first_step == 0
    assert "2.3" in known.message


def test_fires_just_below_a_fall_of_two_per_cent_and_not_above():
    """What noise leaves open is part of the fall."""
    assert judge(noisy(np.linspace(2.3, 2.29, 400), 0.03))
    assert judge(noisy(np.linspace(2.3, 2.22, 400), 0.03)) == ()


def test_fires_for_the_lectures_steady_and_tiny_fall():
    """2.302576 to 2.302420 in ten epochs: significant, and nothing."""
    losses = np.linspace(2.302576, 2.302420, 10)
    assert check_rule(FlatLoss, make_run((), epochs=[{"train_loss": loss} for loss in losses]))


def test_silent_where_a_fall_of_half_a_per_cent_is_significant():
    """A model that is fine-tuned gains little, and surely."""
    assert judge(noisy(np.linspace(1.2, 1.19, 2000), 0.002)) == ()


def test_waits_for_a_hundred_steps_or_eight_epochs():
    """Before, anything is flat."""
    assert isinstance(judge(noisy([2.3] * 99)), NotChecked)
    assert isinstance(check_rule(FlatLoss, make_run((), epochs=[{"train_loss": 2.3}] * 7)), NotChecked)


def test_waits_while_the_rate_warms_up():
    """At a thousandth of the rate nothing moves in any run."""
    assert isinstance(judge(noisy([2.3] * 200), learning_rate=np.linspace(1e-6, 1e-3, 200).tolist()), NotChecked)


def test_silent_where_noise_would_hide_a_fall():
    """Batches of loss 2.3 +- 2 say nothing about two per cent."""
    assert judge(noisy([2.3] * 200, 2.0)) == ()


def test_silent_on_a_model_that_was_good_from_its_start():
    """Fine-tuning from half of guessing has nothing to gain."""
    assert judge(noisy([1.1] * 300), facts=CLASSES) == ()


@pytest.mark.parametrize("name", ["train_accuracy", "validation_accuracy"])
def test_silent_where_an_accuracy_is_high_or_rises(name):
    """Then something is learnt, whatever the loss says."""
    high, rising = [{name: 0.95}] * 12, [{name: 0.1 + 0.05 * epoch} for epoch in range(12)]
    assert judge(noisy([2.3] * 300), epochs=high) == ()
    assert judge(noisy([2.3] * 300), epochs=rising) == ()
    assert judge(noisy([2.3] * 300), epochs=[{name: 0.1}] * 12)


def test_silent_on_a_loss_that_fell_before_the_first_block_was_over():
    """Learnt within some steps and at its floor since: the first values are apart."""
    assert judge(noisy([2.3, 2.0, 1.5, 1.0, 0.6, *[0.3] * 500], 0.01)) == ()


def test_silent_on_losses_that_fall_rise_or_swing():
    """A dip and a relapse are other illnesses."""
    assert judge(noisy([*np.linspace(2.3, 0.5, 200), *np.linspace(0.5, 2.3, 200)])) == ()
    assert judge(noisy(np.linspace(2.3, 6, 300))) == ()


def test_silent_on_losses_that_are_zero_or_negative():
    """A floor, and a loss without a level."""
    assert judge([0.0] * 300) == ()
    assert judge(noisy([-3.0] * 300)) == ()


def test_not_checked_between_adversaries_and_with_rewards():
    """Their losses measure no progress."""
    assert isinstance(judge(noisy([0.7] * 300), epochs=[{"episode_reward": 1.0}]), NotChecked)


def test_silent_where_another_score_is_high_or_rises():
    """A smoothed loss that is at its floor by the first value, beside an F1 that says that all is learnt."""

    def judge_beside(**column):
        run = make_run(noisy([2.3] * 300))
        named = {name: Series(name, np.arange(len(values)), np.array(values)) for name, values in column.items()}
        return check_rule(FlatLoss, dataclasses.replace(run, scalars={**run.scalars, **named}))

    assert judge_beside(val_f1=[0.99] * 5) == ()
    assert judge_beside(eval_wer=np.linspace(60, 20, 12).tolist()) == ()
    assert judge_beside(val_f1=[0.1] * 5)
    assert judge_beside(runtime=[0.99] * 5)


def test_a_note_where_the_validation_loss_has_halved():
    """It may have been learnt before the first value of train_loss: 0.69 to 0.2, and not to 0.4."""
    halved = [{"validation_loss": loss} for loss in (0.69, *[0.2] * 9)]
    (found,) = judge(noisy([0.05] * 300, 0.0004), epochs=halved)
    assert found.severity is Severity.NOTE
    assert "validation_loss went from 0.69 to 0.2 meanwhile" in found.message
    (found,) = judge(noisy([0.5] * 300, 0.004), epochs=[{"validation_loss": loss} for loss in (0.69, *[0.67] * 9)])
    assert found.severity is Severity.WARNING


def by_epoch(losses, first=0, **signals):
    epochs = [
        {"train_loss": loss} | {name: values[i] for name, values in signals.items()} for i, loss in enumerate(losses)
    ]
    run = make_run((), epochs=epochs)
    steps = np.arange(first, first + len(losses))
    series = {name: Series(name, steps, one.values) for name, one in run.scalars.items()}
    return check_rule(FlatLoss, dataclasses.replace(run, scalars=series, format="csv"))


SINKING = [2.95, 0.753, 0.715, 0.703, 0.696, 0.695, 0.694, 0.694, 0.694, 0.694]


def test_fires_where_a_loss_sinks_to_that_of_guessing():
    """Ten epochs that end at log 2 with an accuracy of 0.49: what has fallen were outputs that were too large."""
    (found,) = by_epoch(SINKING, train_accuracy=[0.46, *[0.49] * 9])
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.LIKELY)
    assert "come down to 0.694, that of guessing among 2 classes" in found.message


@pytest.mark.parametrize(
    ("losses", "accuracy"),
    [(SINKING, 0.66), ([*SINKING[:-1], 0.68], 0.49), ([loss / 4 for loss in SINKING], 0.49), (SINKING[:7], 0.49)],
    ids=["an accuracy above guessing", "still falling", "another level", "too few epochs"],
)
def test_a_loss_that_has_fallen_to_another_place_is_not_flat(losses, accuracy):
    """Loss and accuracy have to agree on the number of classes, and the loss has to stay."""
    found = by_epoch(losses, train_accuracy=[accuracy] * len(losses))
    assert found == () or isinstance(found, NotChecked)


@pytest.mark.parametrize(
    ("level", "first", "severity"),
    [
        (0.08, 0, Severity.NOTE),
        (0.9, 0, Severity.WARNING),
        (0.9, 30, Severity.NOTE),
        (2.3026, 30, Severity.WARNING),
    ],
    ids=["low from the start", "high from the start", "begins with epoch 30", "guesses among ten classes"],
)
def test_what_may_have_been_learnt_before_is_a_note(level, first, severity):
    """A curve of ten epochs by itself: a run that was resumed or had converged has nothing left to gain."""
    (found,) = by_epoch(noisy([level] * 10, 0.001 * level), first)
    assert (found.severity, found.confidence) == (severity, Confidence.HINT)


def test_a_note_where_the_validation_loss_falls_surely():
    """A sum with a large constant part (a likelihood over pixels): one per cent of it is much of the rest."""
    falling = np.linspace(3215, 2881, 12)
    (found,) = by_epoch(noisy([2915] * 12, 3), validation_loss=falling)
    assert found.severity is Severity.NOTE
