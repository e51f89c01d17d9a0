"""GE06: fires on losses that can't be, and forgives dropout, augmentation, smoothing and a lagging mean."""

import math

import numpy as np
import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.rules.generalization.validation_better_than_training import ValidationBetterThanTraining
from trainhealth.testing import check_rule, make_run

EPOCHS = np.arange(20)
FALLING = 2.3 * np.exp(-EPOCHS / 5) + 0.1
RISING = 0.9 - 0.8 * np.exp(-EPOCHS / 3)
CROSS_ENTROPY = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10}


def judge(facts=None, **columns):
    rows = [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]
    return check_rule(ValidationBetterThanTraining, make_run((), epochs=rows, facts=facts))


# --- (1) a loss that can't be ---


@pytest.mark.parametrize(("share", "fires"), [(0.78, True), (0.82, False)])
def test_fires_on_a_loss_below_what_the_wrong_answers_cost(share, fires):
    """With 40 % of wrong answers cross-entropy is at least 0.4 log 2."""
    losses = {"validation_loss": np.full(20, share * 0.4 * math.log(2)), "validation_accuracy": np.full(20, 0.6)}
    found = judge(CROSS_ENTROPY, **losses)
    assert bool(found) is fires
    if found:
        assert "the wrong answers alone cost 0.277" in found[0].message
        assert judge({"loss_function": "mse"}, **losses) == ()


# --- (2) a constant share ---


def test_fires_on_a_sum_of_means_divided_by_the_examples():
    """Batches of 32: validation_loss is 1/32 of what it should be, from the first evaluation on."""
    (found,) = judge(train_loss=FALLING, validation_loss=1.1 * FALLING / 32)
    assert found.severity is Severity.WARNING
    assert found.message.startswith("validation_loss is 0.0344 of train_loss from the first evaluation")
    assert "number of batches" in found.recommendations[0].action


@pytest.mark.parametrize(("share", "fires"), [(0.19, True), (0.21, False)])
def test_fires_below_a_fifth(share, fires):
    """A constant factor, just below and just above."""
    assert bool(judge(train_loss=FALLING, validation_loss=share * FALLING)) is fires


# --- (3) accuracy ---


@pytest.mark.parametrize(("ahead", "fires"), [(0.17, True), (0.13, False)])
def test_an_accuracy_that_is_far_better_is_a_hint(ahead, fires):
    """0.15 of all samples is where it begins."""
    found = judge(train_accuracy=RISING - ahead, validation_accuracy=RISING)
    assert bool(found) is fires
    if found:
        assert (found[0].severity, found[0].confidence) == (Severity.NOTE, Confidence.HINT)


def test_waits_for_five_evaluations():
    """Four may be an accident."""
    assert isinstance(judge(train_loss=FALLING[:4], validation_loss=FALLING[:4] / 32), NotChecked)


# --- when it is wrong ---


def test_silent_on_a_training_loss_with_a_floor():
    """Label smoothing: training can't get below 0.5, validation does; the ratio falls from 1 to a tenth."""
    smoothed = FALLING + 0.5
    assert judge(train_loss=smoothed, validation_loss=np.maximum(FALLING - 0.05, 0.05)) == ()


def test_silent_on_dropout_that_makes_training_look_worse():
    """Validation is a third better in loss; with dropout of 0.5 the accuracies may differ by a lot."""
    assert judge(train_loss=FALLING, validation_loss=0.6 * FALLING) == ()
    accuracies = {"train_accuracy": RISING - 0.3, "validation_accuracy": RISING}
    assert judge({"dropout": 0.5}, **accuracies) == ()
    assert judge({"dropout": 0.1}, **accuracies)


def test_silent_on_a_mean_that_lags_half_an_epoch():
    """Early on, while both rise fast, and at the end of a short run."""
    ends = 0.9 - 0.8 * np.exp(-(EPOCHS + 1) / 3)
    means = (np.concatenate([[0.1], ends[:-1]]) + ends) / 2
    assert judge(train_accuracy=means[:6], validation_accuracy=ends[:6]) == ()


def test_a_very_good_validation_accuracy_is_no_fault():
    """0.999 against 0.97."""
    assert judge(train_accuracy=np.full(20, 0.97), validation_accuracy=np.full(20, 0.999)) == ()


def test_silent_on_three_examples_of_a_small_split():
    """Ten examples: 0.9 against 0.7 is two of them."""
    accuracy = np.array([0.9, 0.8] * 10)
    assert judge(train_accuracy=np.full(20, 0.65), validation_accuracy=accuracy) == ()


def test_a_loss_that_is_a_sum_is_not_compared():
    """The training loss is summed over the batch, and says so."""
    assert judge({"loss_reduction": "sum"}, train_loss=64 * FALLING, validation_loss=FALLING) == ()
