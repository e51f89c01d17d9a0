"""GE10: fires where no evaluation came near the loss with which training began, and where that means something."""

import numpy as np
import pytest

from trainhealth.findings import NotChecked
from trainhealth.rules.generalization.incomparable_validation import IncomparableValidation
from trainhealth.testing import check_rule, make_run

STEPS = np.arange(100)
TRAIN = 0.3 + 0.7 * np.exp(-STEPS / 20)  # from 1


def judge(validation, train=TRAIN, **known):
    epochs = [{"validation_loss": float(value)} for value in validation]
    return check_rule(IncomparableValidation, make_run(train, epochs=epochs, **known))


@pytest.mark.parametrize(("level", "fires"), [(11.0, True), (9.0, False)])
def test_fires_above_ten_times_the_first_training_loss(level, fires):
    """From 1 on: the best of four evaluations counts."""
    found = judge([level, 2 * level, level, 3 * level])
    assert bool(found) is fires
    if fires:
        assert found[0].message.startswith("validation_loss was never below 11, 11")
        assert found[0].recommendations[0].recipe == "check-the-split"


def test_one_good_evaluation_is_enough():
    """Overfitting rises from there, batch norm's running statistics come down to there."""
    assert judge([0.9, 20.0, 40.0, 60.0]) == ()
    assert judge([60.0, 40.0, 20.0, 0.9]) == ()


def test_sums_and_divided_losses_are_taken_to_the_mean():
    """A training loss that is divided by 32, or summed over 32 terms, is no other scale."""
    facts = {"loss_function": "mse", "target_mean_square": 1.0, "target_std": 1.0, "target_shape": [32, 1]}
    divided = facts | {"loss_reduction": "mean", "loss_graph": ["DivBackward0", "MseLossBackward0"]}
    assert judge([1.0] * 4, TRAIN / 32)  # nothing is known of it
    assert judge([1.0] * 4, TRAIN / 32, facts=divided | {"loss_factor": 1 / 32}) == ()
    assert judge([320.0] * 4, 32 * TRAIN, facts=facts | {"loss_reduction": "sum"})
    assert judge([1.0] * 4, 32 * TRAIN, facts=facts | {"loss_reduction": "sum"}) == ()


@pytest.mark.parametrize(
    ("levels", "accuracies", "fires"),
    [
        ((8.0, 4.0, 3.0), (0.90, 0.96, 0.98), True),  # 80, 100 and 150 nats a wrong answer: summed over 100
        ((8.0, 4.0, 3.0), (1.0, 1.0, 1.0), True),  # a mean of right answers is below log C
        ((8.0, 4.0, 3.0), (0.30, 0.40, 0.40), False),  # 5 to 11 nats: sure of what is wrong
        ((8.0, 4.0, 1.5), (0.90, 0.96, 0.98), False),  # near the level of a fresh model
    ],
)
def test_fires_where_each_wrong_answer_would_cost_more_than_logits_can(levels, accuracies, fires):
    """A sum comes down with training, below ten times the beginning, and is a sum all the same."""
    epochs = [
        {"validation_loss": level, "validation_accuracy": accuracy}
        for level, accuracy in zip(levels, accuracies, strict=True)
    ]
    run = make_run(TRAIN, epochs=epochs, facts={"loss_function": "cross_entropy"})
    assert bool(check_rule(IncomparableValidation, run)) is fires


def test_silent_where_training_itself_went_up():
    """Divergence takes both losses along."""
    assert judge([30.0] * 4, 1 + STEPS / 10) == ()


def test_silent_on_losses_that_may_be_negative():
    """They have no scale."""
    assert judge([30.0] * 4, TRAIN - 0.5) == ()


def test_waits_for_three_evaluations():
    """Two may be an accident of the start."""
    assert isinstance(judge([30.0] * 2), NotChecked)
