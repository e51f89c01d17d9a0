"""GE05: fires on the quadrant of the lecture in which both are high, and on none of the other three."""

import numpy as np
import pytest

from trainhealth.findings import Confidence, NotChecked
from trainhealth.records import LayerEntry, RunInfo
from trainhealth.rules.generalization.high_bias_and_variance import HighBiasAndVariance
from trainhealth.testing import check_rule, make_run

HUMAN = RunInfo(hyperparameters={"target_error": 0.005})


def approach(end, count=20, pace=2.0):
    """An accuracy that rises from 0.1 and has reached `end` by half of the run."""
    return end - (end - 0.1) * np.exp(-np.arange(count) / pace)


def judge(train, validation, info=HUMAN, facts=None):
    rows = [
        {"train_accuracy": float(t), "validation_accuracy": float(v)} for t, v in zip(train, validation, strict=True)
    ]
    return check_rule(HighBiasAndVariance, make_run((), epochs=rows, info=info, facts=facts))


@pytest.mark.parametrize(
    ("train", "test", "fires"), [(0.01, 0.11, False), (0.15, 0.16, False), (0.15, 0.30, True), (0.005, 0.01, False)]
)
def test_of_the_four_quadrants_of_the_lecture_one_fires(train, test, fires):
    """Errors in training and test: high variance, high bias, both, neither."""
    assert bool(judge(approach(1 - train), approach(1 - test))) is fires


def test_the_target_may_be_an_accuracy():
    """85 % is all that can be reached: then 15 % of errors are no bias."""
    info = RunInfo(hyperparameters={"target_accuracy": 0.85})
    assert judge(approach(0.85), approach(0.70), info) == ()
    (found,) = judge(approach(0.70), approach(0.55), info)
    assert found.message.startswith("The error is 30% in training and 45% in validation, where 15% can be reached")


@pytest.mark.parametrize(("train", "fires"), [(0.54, True), (0.56, False)])
def test_without_a_target_half_of_the_skill_counts_and_it_is_a_hint(train, fires):
    """With ten classes half of the skill is an accuracy of 0.55."""
    found = judge(approach(train), approach(train - 0.2), RunInfo(), {"classes": 10})
    assert bool(found) is fires
    if found:
        assert found[0].confidence is Confidence.HINT


def test_waits_for_eight_evaluations():
    """Four in the last half."""
    assert isinstance(judge(approach(0.85)[:7], approach(0.7)[:7]), NotChecked)


# --- when it is wrong ---


def test_not_checked_where_nobody_knows_what_can_be_reached():
    """Neither a target nor the number of classes."""
    assert isinstance(judge(approach(0.5), approach(0.3), RunInfo()), NotChecked)
    odd = RunInfo(hyperparameters={"target_error": "low", "target_accuracy": 97})
    assert isinstance(judge(approach(0.5), approach(0.3), odd), NotChecked)


def test_silent_while_either_accuracy_still_rises():
    """What it will reach is not known yet."""
    rising = np.linspace(0.1, 0.85, 20)
    assert judge(rising, approach(0.5)) == ()
    assert judge(approach(0.85), np.linspace(0.3, 0.7, 20)) == ()


def test_silent_on_a_gap_within_the_noise():
    """0.12 of gap, and evaluations that waver by 0.04."""
    noise = np.random.default_rng(0).normal(0, 0.04, 20)
    assert judge(approach(0.85), approach(0.73) + noise) == ()
    assert judge(approach(0.85), approach(0.73))


@pytest.mark.parametrize(("validation_loss", "fires"), [(1.9, True), (1.55, False)])
def test_a_gap_that_the_losses_do_not_show_is_none(validation_loss, fires):
    """Half right in training, a third in validation, a training loss of 1.5: validation's is as good, or not."""
    facts = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10, "target_shape": [64]}
    rows = [
        {"train_accuracy": t, "validation_accuracy": v, "train_loss": 1.5, "validation_loss": validation_loss}
        for t, v in zip(approach(0.5).tolist(), approach(0.33).tolist(), strict=True)
    ]
    assert bool(check_rule(HighBiasAndVariance, make_run((), epochs=rows, info=RunInfo(), facts=facts))) is fires


@pytest.mark.parametrize(("units", "fires"), [(1, False), (64, True)])
def test_silent_behind_a_layer_that_is_too_narrow(units, fires):
    """One unit for ten classes: the bias has a name, and GE02 says it."""
    rows = [{"train_accuracy": float(a), "validation_accuracy": float(a) - 0.2} for a in approach(0.5)]
    layers = [LayerEntry(name=str(i), type="Linear", units=count) for i, count in enumerate((units, 10))]
    found = check_rule(HighBiasAndVariance, make_run((), epochs=rows, facts={"classes": 10}, layers=layers))
    assert bool(found) is fires
