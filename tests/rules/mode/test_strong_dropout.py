"""MO05: fires where strong dropout goes with a poor fit, and not where it works."""

import math

import numpy as np
import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.rules.mode.strong_dropout import StrongDropout
from trainhealth.testing import check_rule, make_run

TEN = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10, "target_shape": [64]}
CHANCE = math.log(10)


def judge(dropout=0.8, train=0.9, validation=0.8, steps=600, losses=None, **epoch):
    """Losses as shares of guessing; `epoch` adds to what each epoch logs."""
    flat = train * CHANCE + np.random.default_rng(0).normal(0, 0.02, steps)
    epochs = [{"validation_loss": validation * CHANCE, **epoch}] * 10
    facts = TEN if dropout is None else TEN | {"dropout": dropout}
    return check_rule(
        StrongDropout, make_run((flat if losses is None else losses).tolist(), facts=facts, epochs=epochs)
    )


@pytest.mark.parametrize(("dropout", "fires"), [(0.55, True), (0.5, False)])
def test_fires_above_what_the_lectures_use(dropout, fires):
    """Half of the units is usual."""
    assert bool(judge(dropout)) is fires


def test_says_how_poor_and_halves_it():
    """Both losses and the loss of guessing are in the message."""
    (found,) = judge()
    assert found.message.startswith(
        "Dropout is 0.8, where 0.5 is much, and the run has stayed poor: train_loss at 2.07"
    )
    assert found.recommendations[0].change.to == 0.4


def test_waits_for_100_steps():
    """Before that any run is poor."""
    assert isinstance(judge(steps=99), NotChecked)
    assert judge(steps=100)


# --- when it is wrong ---


def severity(found):
    return next((finding.severity for finding in found), None)


@pytest.mark.parametrize(("dropout", "expected"), [(0.7, None), (0.8, Severity.NOTE), (0.95, Severity.NOTE)])
def test_heavy_dropout_that_works_is_a_note_at_most(dropout, expected):
    """Training is poor with dropout, and validation is good without it; a first loss that is too high needs a cause."""
    assert severity(judge(dropout, validation=0.2)) is expected
    assert severity(judge(dropout, validation=0.7, validation_accuracy=0.85)) is expected
    assert judge(dropout, validation=0.7, validation_accuracy=0.75)[0].severity is not Severity.NOTE


@pytest.mark.parametrize(("dropout", "expected"), [(0.7, None), (0.8, Severity.NOTE)])
def test_overfitting_all_the_same_is_another_illness(dropout, expected):
    """Validation is worse than training: less dropout is not the cure."""
    assert severity(judge(dropout, train=0.6, validation=0.8)) is expected


@pytest.mark.parametrize(("dropout", "expected"), [(0.8, None), (0.95, Severity.CRITICAL)])
def test_a_loss_that_ends_in_ruin_is_the_doing_of_hopeless_dropout_only(dropout, expected):
    """Below that it is the learning rate's, or whoever explains it."""
    losses = np.append(np.full(500, 2.3), np.full(100, np.nan))
    assert severity(judge(dropout, losses=losses)) is expected


@pytest.mark.parametrize(("dropout", "severity"), [(0.7, None), (0.8, Severity.NOTE), (0.9, Severity.WARNING)])
def test_counts_less_where_the_run_improves_slowly(dropout, severity):
    """With nine of ten units gone training goes on, and takes many times as long."""
    slow = np.linspace(1.0, 0.85, 10) * CHANCE
    rows = [{"validation_loss": loss} for loss in slow]
    run = make_run((np.linspace(1.1, 0.9, 600) * CHANCE).tolist(), facts=TEN | {"dropout": dropout}, epochs=rows)
    assert next((found.severity for found in check_rule(StrongDropout, run)), None) is severity


def test_not_checked_where_dropout_is_unknown():
    """A foreign log; and the loss must be known."""
    assert isinstance(judge(None), NotChecked)
    run = make_run([2.0] * 600, facts={"dropout": 0.9})
    assert isinstance(check_rule(StrongDropout, run), NotChecked)


def test_fires_while_the_training_loss_comes_down_from_far_above_guessing():
    """Dropout multiplies what it leaves: the training loss falls towards guessing, and validation never moves."""
    losses = CHANCE * (1 + 5 * np.exp(-np.arange(600) / 150))
    assert judge(0.95, losses=losses, validation=1.0)


@pytest.mark.parametrize(("dropout", "severity"), [(0.9, Severity.CRITICAL), (0.85, Severity.WARNING)])
def test_hopeless_dropout_is_critical(dropout, severity):
    """At 0.9, what is left is multiplied by ten."""
    (found,) = judge(dropout)
    assert (found.severity, found.first_step) == (severity, 0)


@pytest.mark.parametrize(("dropout", "fires"), [(0.9, True), (0.7, False)])
def test_a_gap_is_no_excuse_for_hopeless_dropout(dropout, fires):
    """Validation a third worse than training is overfitting, below 0.9."""
    assert bool(judge(dropout, train=0.9, validation=1.2)) is fires
