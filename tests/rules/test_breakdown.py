"""How a loss shows that a run is broken, and the level that training has to leave."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from trainhealth.rules import breakdown
from trainhealth.series import Series
from trainhealth.testing import make_run

FALLING = (2.2 * np.exp(-np.arange(300) / 40) + 0.1).tolist()
CLASSES = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10}


def test_a_healthy_loss_is_not_poor():
    """It falls, it ends low."""
    assert breakdown.poor_loss(make_run(FALLING), 0.6) is None


@pytest.mark.parametrize(
    ("losses", "kind"),
    [
        ([*FALLING, *[math.nan] * 5], "nonfinite"),
        ([*FALLING, *[9.0] * 100], "exploded"),
        ([*FALLING, *[2.3] * 100], "relapsed"),
        ([2.3] * 300, "stuck"),
        ([2.3, *[1.7] * 299], "stalled"),
    ],
)
def test_each_breakdown_is_told_from_the_others(losses, kind):
    """The first that applies, from the worst on; it says between which steps it came about."""
    found = breakdown.poor_loss(make_run(losses), 0.6)
    assert found.kind == kind
    assert 0 <= found.first_step <= found.last_step < len(losses)
    assert found.fact.startswith("train_loss ")


@pytest.mark.parametrize(("size", "kind"), [(8.0, None), (10.0, "exploded")])
def test_the_cost_of_a_loss_that_goes_to_and_fro_across_zero_is_its_swing(size, kind):
    """A policy's began at 0.1, by chance, and within 3 of 0: three times 0.1 is nothing, three times 3 is a rise."""
    found = breakdown.ended_in_ruin(make_run([0.1, *[3.0, -2.0] * 20, *[size] * 60]))
    assert (found and found.kind) == kind


def test_a_likelihood_that_falls_below_zero_keeps_its_first_cost():
    """It crosses zero once: three times its first value is three times that."""
    assert breakdown.ended_in_ruin(make_run([2.0, *np.linspace(1.5, -1.0, 60), *[7.0] * 60])).kind == "exploded"


def test_a_first_value_that_was_low_by_luck_is_no_cost():
    """Squares of one example each: the median is far above the first one, and a fifth of the last ones below it."""
    losses = np.random.default_rng(0).standard_normal(600) ** 2
    losses[0] = 0.06
    assert np.median(losses[-60:]) > 3 * losses[0]
    assert breakdown.ended_in_ruin(make_run(losses.tolist())) is None
    assert breakdown.ended_in_ruin(make_run([0.06, *(losses[1:] + 0.1).tolist()])).kind == "exploded"


def test_a_loss_that_still_falls_has_not_stalled():
    """By a tenth or more in the last quarter of the run: it may yet get there."""
    assert breakdown.never_learnt(make_run(np.geomspace(2.3, 1.6, 300).tolist()), 0.6).kind == "stalled"
    assert breakdown.never_learnt(make_run(np.geomspace(2.3, 1.42, 300).tolist()), 0.6) is None


def test_the_untrained_loss_is_the_lower_one_of_start_and_guess():
    """log 10 where outputs were large at first; the start where the guess is unknown or higher."""
    assert breakdown.untrained_loss(make_run([7.0, 2.0], facts=CLASSES)) == pytest.approx(math.log(10))
    assert breakdown.untrained_loss(make_run([1.1, 2.0], facts=CLASSES)) == 1.1
    assert breakdown.untrained_loss(make_run([7.0, 2.0])) == 7.0
    summed = CLASSES | {"loss_reduction": "sum", "target_shape": [32]}
    assert breakdown.untrained_loss(make_run([700.0, 2.0], facts=summed)) == pytest.approx(32 * math.log(10))


def test_the_recent_level_is_the_median_of_the_last_tenth():
    """One of the values, so that two huge ones are not added."""
    values = np.array([*[9.0] * 90, *range(10)], float)
    assert breakdown.recent_level(values) in (4.0, 5.0)
    assert breakdown.recent_level(np.array([1.5e308] * 40)) == 1.5e308
    assert breakdown.recent_level(np.array([1.0, 2.0, 3.0]), at_least=3) == 2.0


def test_the_last_healthy_step_is_the_last_one_near_the_best():
    """A tenth of the way up to the limit still counts as near."""
    run = make_run([2.0, 1.0, 1.05, 1.2, 3.0, 9.0])
    assert breakdown.last_healthy(run.series("train_loss"), 5, 2.0) == 2
    assert breakdown.last_healthy(run.series("train_loss"), 0, 2.0) == 0


# --- evidence for and against a break ---


def logged(losses):
    return Series("train_loss", np.arange(len(losses)), np.asarray(losses, float))


def test_a_rise_is_even_where_no_block_holds_a_quarter_of_it():
    """A straight line, with noise too; neither a step, nor what grows faster and faster, nor seven values."""
    line = np.linspace(0.1, 10, 400)
    assert breakdown.rises_evenly(logged(line))
    assert breakdown.rises_evenly(logged(line * (1 + np.random.default_rng(0).normal(0, 0.1, 400))))
    assert not breakdown.rises_evenly(logged(np.where(np.arange(400) < 200, 0.1, 10.0)))
    assert not breakdown.rises_evenly(logged(np.geomspace(0.001, 1e6, 400)))
    assert not breakdown.rises_evenly(logged(line[:7]))


def test_a_rise_from_the_first_value_to_a_level_is_a_break():
    """What the first steps did is a step, too."""
    assert not breakdown.rises_evenly(logged([1.0, *[10.0] * 300]))


def test_evaluations_are_better_where_they_pass_all_before():
    """Falling from step 100 on and below the earlier ones; not four of them, and not while they come back."""

    def run(losses):
        return make_run([1.0] * 300, evaluations={25 * i: {"validation_loss": loss} for i, loss in enumerate(losses)})

    falling = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]
    better = breakdown.better_since(run(falling), 100)
    assert better is not None
    assert better.values.tolist() == falling[4:]
    assert breakdown.better_since(run(falling), 175) is None
    assert breakdown.better_since(run([0.05, *falling[1:]]), 100) is None


def test_single_values_stay_high_where_three_of_four_do():
    """Of the last 20 values of another tool's log: a few hard batches at its end are no explosion."""

    def broken(high):
        run = dataclasses.replace(make_run([1.0] * 40 + [5.0] * high), format="text")
        return breakdown.ended_in_ruin(run)

    assert broken(14) is None
    assert broken(15).kind == "exploded"


def test_values_that_stand_for_epochs_stay_high_for_five():
    """They are means over all batches."""
    losses = [1.0] * 7 + [5.0] * 5
    assert breakdown.ended_in_ruin(make_run((), epochs=[{"train_loss": loss} for loss in losses])).kind == "exploded"
