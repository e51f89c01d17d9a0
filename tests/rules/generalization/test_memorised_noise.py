"""GE08: fires where everything was learnt by heart and nothing ever held for other data."""

import math

import numpy as np
import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.rules.generalization.memorised_noise import MemorisedNoise
from trainhealth.testing import check_rule, make_run

EPOCHS = np.arange(20)
TEN = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10, "target_shape": [64]}
SQUARES = {"loss_function": "mse", "target_mean_square": 5.0, "target_std": 2.0, "target_shape": [64]}

BY_HEART = {"train_accuracy": np.minimum(0.1 + 0.06 * EPOCHS, 1.0), "train_loss": 2.3 * np.exp(-EPOCHS / 4)}
GUESSING = {"validation_accuracy": 0.1 + 0.01 * (-1) ** EPOCHS, "validation_loss": 2.31 + 0.1 * EPOCHS}


def judge(facts=TEN, **columns):
    rows = [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]
    return check_rule(MemorisedNoise, make_run((), epochs=rows, facts=facts))


def test_fires_where_training_is_perfect_and_validation_guesses():
    """Shuffled labels: both accuracies are in the message, and the labels are the first thing to look at."""
    (found,) = judge(**BY_HEART, **GUESSING)
    assert found.severity is Severity.CRITICAL
    assert found.message.startswith("train_accuracy ends at 1, and validation_accuracy was never better than 0.1")
    assert [advice.recipe for advice in found.recommendations] == ["check-labels", "check-the-split"]


@pytest.mark.parametrize(("best", "fires"), [(0.18, True), (0.2, False)])
def test_fires_below_a_tenth_of_the_way_from_guessing(best, fires):
    """From 0.1 with ten classes that is 0.19."""
    accuracy = np.minimum(0.1 + 0.02 * EPOCHS, best)
    accuracy[-1] -= 1 / 400  # a split of 400 examples
    columns = BY_HEART | GUESSING | {"validation_accuracy": accuracy}
    assert bool(judge(**columns)) is fires


def test_fires_on_a_regression():
    """Squared error down to a hundredth in training; in validation never below 0.96 of the variance, 4."""
    train = 4 * np.exp(-EPOCHS / 4)
    for level, fires in ((0.96, True), (0.94, False)):
        assert bool(judge(SQUARES, train_loss=train, validation_loss=4 * np.full(20, level))) is fires


@pytest.mark.parametrize(("level", "differently"), [(0.02, True), (0.1, False)])
def test_worse_than_guessing_means_other_numbers(level, differently):
    """Of 400 examples of ten classes, 0.02 is five standard errors below 0.1; the labels of training are right."""
    accuracy = level + np.where(EPOCHS % 2, 1 / 400, 0.0)
    (found,) = judge(**BY_HEART | GUESSING | {"validation_accuracy": accuracy})
    assert ("the classes have other numbers" in found.message) is differently
    assert ("class_to_idx" in found.recommendations[0].action) is differently


# --- not before there is enough ---


def test_waits_for_five_evaluations():
    """Four may all be too early."""
    short = {name: values[-4:] for name, values in (BY_HEART | GUESSING).items()}
    assert isinstance(judge(**short), NotChecked)


def test_a_warning_before_training_is_perfect():
    """At 0.94, and with a loss of 0.3, the training data are not known by heart yet; either is critical."""
    halfway = {
        "train_accuracy": np.minimum(0.1 + 0.06 * EPOCHS, 0.94),
        "train_loss": np.maximum(2.3 - 0.2 * EPOCHS, 0.3),
    }
    (found,) = judge(**GUESSING, **halfway)
    assert found.severity is Severity.WARNING
    assert found.message.startswith("train_accuracy has come to 0.94")
    for known in ("train_loss", "train_accuracy"):
        (found,) = judge(**GUESSING | halfway | {known: BY_HEART[known]})
        assert found.severity is Severity.CRITICAL


@pytest.mark.parametrize(("end", "fires"), [(0.2, False), (0.26, True)])
def test_training_has_to_leave_guessing(end, fires):
    """From 0.1 by 15 % of the way to 1, rising, over eight evaluations; the loss is that of guessing."""
    rising = {"train_accuracy": np.linspace(0.1, end, 20), "train_loss": np.full(20, 2.3)}
    assert bool(judge(**GUESSING, **rising)) is fires
    short = {name: values[-7:] for name, values in (GUESSING | rising).items()}
    assert judge(**short) == ()


# --- when it is wrong ---


def test_not_checked_where_guessing_is_not_known():
    """A log of losses alone: the first one may be that of a model that has learnt elsewhere."""
    assert isinstance(judge({}, **BY_HEART, **GUESSING), NotChecked)


def test_labels_of_which_a_part_is_wrong_are_missed():
    """Validation gains, and loses it again: known miss, which overfitting sees."""
    peaked = 0.6 * np.exp(-EPOCHS / 10) + 0.1
    assert judge(**BY_HEART | GUESSING | {"validation_accuracy": peaked}) == ()


def test_silent_where_either_curve_gains():
    """A loss that falls below guessing, with an accuracy that does not, has learnt something."""
    assert judge(**BY_HEART | GUESSING | {"validation_loss": np.full(20, 0.8 * math.log(10))}) == ()


def test_the_majority_is_what_guessing_gives():
    """With nine of ten examples in one class, an accuracy of 0.9 is no skill."""
    rows = [{"train_accuracy": 1.0, "validation_accuracy": 0.9} for _ in EPOCHS]
    facts = {"classes": 2}
    assert check_rule(MemorisedNoise, make_run((), epochs=rows, facts=facts)) == ()
    assert check_rule(MemorisedNoise, make_run((), epochs=rows, facts=facts, batch={0: {"majority_share": 0.9}}))


def test_silent_where_a_loss_from_far_above_guessing_only_came_down_to_it():
    """Inputs of the wrong scale: 50 at first, and at the end no better than guessing; nothing was learnt by heart."""
    train = 2.3 + 47.7 * np.exp(-EPOCHS)
    assert judge(train_loss=train, validation_loss=GUESSING["validation_loss"]) == ()


def test_silent_where_training_accuracy_is_that_of_the_majority():
    """0.96 right with 0.95 of one class is a fifth of the way; 0.999 is all of it."""
    for accuracy, fires in ((0.96, False), (0.999, True)):
        rows = [{"train_accuracy": accuracy, "validation_accuracy": 0.95} for _ in EPOCHS]
        run = make_run((), epochs=rows, facts={"classes": 2}, batch={0: {"majority_share": 0.95}})
        assert bool(check_rule(MemorisedNoise, run)) is fires


def test_silent_where_validation_holds_less_of_the_majority():
    """Nine in ten of one class in training, even classes in validation: 0.5 of ten classes is no guess."""
    rows = [{"train_accuracy": 1.0, "validation_accuracy": 0.5, "validation_loss": 3.0} for _ in EPOCHS]
    assert check_rule(MemorisedNoise, make_run((), epochs=rows, facts=TEN, batch={0: {"majority_share": 0.9}})) == ()


@pytest.mark.parametrize(("batch_size", "fires"), [(4, False), (5, True)])
def test_silent_where_an_epoch_has_hardly_an_example(batch_size, fires):
    """Twenty batches of four an epoch: so few are learnt by heart whatever their labels say."""
    columns = BY_HEART | GUESSING
    rows = [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]
    run = make_run(np.geomspace(2.3, 0.01, 400).tolist(), epochs=rows, facts=TEN, batch_size=batch_size)
    assert bool(check_rule(MemorisedNoise, run)) is fires


@pytest.mark.parametrize(
    ("train", "validation", "majority", "fires"),
    [
        (2.28, 2.35, 0.1, True),
        (2.30, 2.35, 0.1, False),  # training has gained nothing: too weak a model, or too low a rate
        (2.28, 2.29, 0.1, False),  # validation follows
        (2.28, 2.305, 0.1, False),  # hardly anything was learnt: both stand at guessing
        (2.28, 2.35, 0.3, False),  # guessing is better where one class is frequent
    ],
)
def test_a_hint_where_what_little_is_learnt_makes_others_worse(train, validation, majority, fires):
    """Guessing among ten has 2.303: a small model that fits noise comes below it, and stays above it in validation."""
    losses = train + np.random.default_rng(0).normal(0, 0.02, 600)
    rows = [{"validation_loss": validation + 0.001 * epoch, "validation_accuracy": 0.1} for epoch in range(12)]
    seen = {step: {"majority_share": majority} for step in (0, 300, 599)}
    found = check_rule(MemorisedNoise, make_run(losses.tolist(), epochs=rows, facts=TEN, batch=seen, batch_size=32))
    assert bool(found) is fires
    if fires:
        assert (found[0].severity, found[0].confidence) == (Severity.WARNING, Confidence.HINT)
        assert found[0].message.startswith(
            "train_loss has come to 2.28, and validation_loss was never better than 2.35"
        )


@pytest.mark.parametrize(("rise", "other_weights"), [(0.001, True), (0.1, False)])
def test_a_validation_loss_that_never_moves_is_of_other_weights(rise, other_weights):
    """A copy, or an average with too long a memory: what is learnt by heart would make it rise."""
    (found,) = judge(**BY_HEART | GUESSING | {"validation_loss": 2.31 + rise * EPOCHS})
    assert (found.recommendations[0].recipe == "weight-averaging") is other_weights


@pytest.mark.parametrize(
    ("accuracy", "majority", "fires"), [(0.59, 0.57, False), (0.57, 0.57, True), (0.59, 0.65, True)]
)
def test_silent_where_more_is_right_than_by_a_draw(accuracy, majority, fires):
    """Of 400 examples, 0.59 is 3.2 standard errors above 0.51: naming two classes at random, 0.57 of them the one.

    Where the one is more frequent, a net names it even more often on other data: there it is no proof.
    """
    swings = accuracy + np.where(EPOCHS % 2, 1 / 400, 0.0)
    rows = [
        {"train_accuracy": 1.0, "validation_accuracy": float(value), "validation_loss": 0.8 + 0.1 * epoch}
        for epoch, value in enumerate(swings)
    ]
    run = make_run((), epochs=rows, facts={"classes": 2}, batch={0: {"majority_share": majority}})
    assert bool(check_rule(MemorisedNoise, run)) is fires


@pytest.mark.parametrize(("examples", "lowest", "fires"), [(50, 2.31, True), (400, 2.31, False), (50, 2.29, False)])
def test_a_lucky_accuracy_of_a_small_split_is_no_gain(examples, lowest, fires):
    """0.22 of 50 examples is 2.8 standard errors above 0.1, if no loss was below that of guessing; 0.2 of 400 is 6.8.

    It is a warning only: what is learnt by heart is asked for more.
    """
    accuracy = 0.2 + np.where(EPOCHS % 2, 1 / examples, 0.0)
    rising = {"train_accuracy": np.linspace(0.1, 0.5, 20), "train_loss": np.linspace(2.3, 1.5, 20)}
    found = judge(**rising, validation_accuracy=accuracy, validation_loss=lowest + 0.05 * EPOCHS)
    assert [one.severity for one in found] == ([Severity.WARNING] if fires else [])


@pytest.mark.parametrize(("right", "fires"), [(0.5, False), (1.0, True)])
def test_the_accuracy_of_batches_of_one_is_averaged(right, fires):
    """Each is right or wrong, and the last three may all be right; the loss stays at that of guessing."""
    hits = np.random.default_rng(0).random(400) < right
    hits[-5:] = True
    batch = {step: {"train_accuracy": float(hit)} for step, hit in enumerate(hits)}
    rows = [{"validation_accuracy": 0.5, "validation_loss": 0.7} for _ in EPOCHS]
    losses = np.full(4000, 0.69).tolist()
    run = make_run(losses, epochs=rows, facts=TEN | {"classes": 2}, batch=batch, batch_size=1)
    assert bool(check_rule(MemorisedNoise, run)) is fires
