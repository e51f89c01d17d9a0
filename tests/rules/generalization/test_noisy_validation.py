"""GE07: fires where evaluations can't be told apart, and not where the split is large or the curve is smooth."""

import numpy as np
import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.rules.generalization.noisy_validation import NoisyValidation
from trainhealth.testing import check_rule, make_run

EPOCHS = np.arange(20)


def judge(**columns):
    rows = [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]
    return check_rule(NoisyValidation, make_run((), epochs=rows))


def wavering(size, share=0.8):
    """An accuracy over `size` examples that wavers by one example around `share`, after a rise."""
    right = round(share * size) + np.array([0, 1, 0, -1, 0] * 4)
    right[:3] = [size // 2, size // 2 + 1, size // 2 + 3]
    return right / size


@pytest.mark.parametrize(("size", "fires"), [(61, True), (67, False)])
def test_fires_where_two_standard_errors_exceed_a_tenth(size, fires):
    """At an accuracy of 0.8 that is where fewer than 64 examples are validated."""
    found = judge(validation_accuracy=wavering(size))
    assert bool(found) is fires
    if found:
        assert found[0].severity is Severity.NOTE
        assert f"({size} examples)" in found[0].message


def test_says_how_many_examples_it_would_take():
    """For a standard error of 0.01 at 0.8: 0.16 / 0.0001."""
    (found,) = judge(validation_accuracy=wavering(50))
    assert found.recommendations[0].action.startswith("Validate on 1600 examples")


@pytest.mark.parametrize(("sigma", "fires"), [(0.5, True), (0.1, False)])
def test_fires_on_a_loss_that_jumps(sigma, fires):
    """By half of its level; not by a tenth."""
    loss = np.exp(np.random.default_rng(0).normal(0, sigma, 20))
    assert bool(judge(validation_loss=loss)) is fires


def test_waits_for_ten_evaluations():
    """Five in the last half."""
    assert isinstance(judge(validation_accuracy=wavering(40)[:9]), NotChecked)


def test_a_loss_takes_ten_evaluations_in_the_last_half():
    """The noise of five values is not known."""
    loss = np.exp(np.random.default_rng(0).normal(0, 0.5, 40))
    assert judge(validation_loss=loss[:20])
    assert judge(validation_loss=loss[:18]) == ()


# --- when it is wrong ---


def test_silent_on_a_loss_that_wavers_where_the_accuracy_stands():
    """A task that is nearly solved: its loss hangs on a few examples."""
    loss = 0.04 * np.exp(np.random.default_rng(0).normal(0, 0.5, 20))
    assert judge(validation_loss=loss, validation_accuracy=np.full(20, 0.99)) == ()


def test_silent_where_the_difference_is_larger_than_the_noise():
    """Ten examples of forty more: that is no luck."""
    right = np.concatenate([np.full(10, 20), np.linspace(22, 36, 10).round()])
    assert judge(validation_accuracy=right / 40) == ()


def test_silent_where_all_evaluations_are_equal():
    """Nothing is to be chosen."""
    accuracy = np.concatenate([np.array([20, 24, 27, 29, 31]) / 40, np.full(15, 32 / 40)])
    assert judge(validation_accuracy=accuracy) == ()


def test_a_mean_of_batch_accuracies_says_nothing_of_the_split():
    """No n fits: the accuracy is not judged."""
    assert judge(validation_accuracy=0.8 + np.random.default_rng(0).normal(0, 0.01, 20)) == ()


def test_three_values_are_too_few_to_count_the_examples():
    """14, 15 and 16 of 30 would look like 7, 7.5 and 8 of 15."""
    assert judge(validation_accuracy=np.array([14, 15, 16, 15] * 5) / 30) == ()


def test_silent_on_a_loss_that_falls_by_orders_of_magnitude():
    """Its values differ because it learns."""
    assert judge(validation_loss=np.exp(-EPOCHS / 2)) == ()


def test_a_high_accuracy_is_no_fault():
    """0.98 of a large split, wavering by one example."""
    assert judge(validation_accuracy=wavering(500, 0.98)) == ()
