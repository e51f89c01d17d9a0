"""DA08: fires where targets are far from unit scale, and the model does worse than their mean."""

import math

import numpy as np
import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.records import LayerEntry
from trainhealth.rules.data.unscaled_targets import UnscaledTargets
from trainhealth.testing import check_rule, make_run


def judge(level, mean, std, *, function="mse", steps=60, spread=None, **facts):
    known = {
        "loss_function": function,
        "target_mean": mean,
        "target_std": std,
        "target_mean_square": mean**2 + std**2,
        "target_shape": [32, 1],
    }
    losses = [level] * steps if isinstance(level, float) else level
    batch = None if spread is None else {step: {"output_example_std": spread} for step in range(0, len(losses), 20)}
    return check_rule(UnscaledTargets, make_run(losses, facts=known | facts, batch=batch))


@pytest.mark.parametrize(
    ("spread", "steps", "fires"), [(1200.0, 400, True), (2600.0, 400, False), (1200.0, 299, False)]
)
def test_fires_where_the_outputs_are_still_on_their_way(spread, steps, fires):
    """Targets with a deviation of 3,000: after 400 steps half of the variance is left, and the loss still falls."""
    losses = (9e6 * np.linspace(1.0, 0.5, steps)).tolist()
    assert bool(judge(losses, 0.0, 3000.0, spread=spread)) is fires


def test_silent_where_a_hard_task_has_come_to_its_end():
    """Half of the variance is noise: the outputs stay behind the targets, and the loss falls no more."""
    losses = (9e6 * np.interp(np.arange(400), [0, 100, 399], [1.0, 0.5, 0.5])).tolist()
    assert judge(losses, 0.0, 3000.0, spread=1500.0) == ()


def test_fires_where_the_mean_is_not_reached():
    """Targets around 150 with a deviation of 77: saying the mean costs 5929."""
    (found,) = judge(20000.0, 150.0, 77.0)
    assert found.severity is Severity.WARNING
    assert found.message == (
        "The targets have mean 150 and standard deviation 77, and train_loss stands at 20000; saying the mean gives"
        " 5929."
    )
    assert found.recommendations[0].recipe == "scale-targets"
    assert judge(6500.0, 150.0, 77.0) == ()


@pytest.mark.parametrize(
    ("function", "level", "fires"), [("l1", 70.0, True), ("l1", 65.0, False), ("huber", 70.0, True)]
)
def test_absolute_errors_have_their_own_level(function, level, fires):
    """Saying the mean costs 0.8 deviations: 61 here."""
    assert bool(judge(level, 150.0, 77.0, function=function)) is fires


def test_fires_on_tiny_targets_and_on_sums():
    """The outputs' noise is larger than they are; a sum has 32 terms."""
    assert judge(0.01, 0.0, 0.001)
    assert judge(32 * 20000.0, 150.0, 77.0, loss_reduction="sum")
    assert judge(32 * 5000.0, 150.0, 77.0, loss_reduction="sum") == ()


def test_a_ruined_run_is_critical():
    """The gradient of large targets has thrown the weights off."""
    (found,) = judge([20000.0, 1e9, *[math.inf] * 60], 150.0, 77.0)
    assert found.severity is Severity.CRITICAL


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (7.0, 7.0), (0.0, 0.02), (0.0, 0.0)])
def test_silent_on_targets_near_unit_scale(mean, std):
    """Whatever the loss is."""
    assert judge(1000.0, mean, std) == ()


def test_silent_on_other_losses():
    """Classes have no scale."""
    assert judge(1000.0, 150.0, 77.0, function="cross_entropy") == ()


def test_not_checked_early_or_with_other_terms():
    """Fifty steps, and nothing else in the loss."""
    assert isinstance(judge(20000.0, 150.0, 77.0, steps=49), NotChecked)
    assert isinstance(judge(20000.0, 150.0, 77.0, loss_composed=True), NotChecked)
    assert isinstance(judge(20000.0, math.nan, 77.0), NotChecked)


def test_fires_where_half_of_the_run_went_by_before_the_mean_was_reached():
    """It can be learnt, as the second half shows; a loss that stands there for good may be the task's noise."""
    late = [7000.0] * 150 + [3000.0] * 150
    (found,) = judge(late, 0.0, 77.0)
    assert "was still 7000 when half of the run had passed" in found.message
    assert judge([6400.0] * 150 + [3000.0] * 150, 0.0, 77.0) == ()
    assert judge([7000.0] * 100 + [3000.0] * 200, 0.0, 77.0) == ()


@pytest.mark.parametrize(("std", "spread", "level", "fires"), [
    (1000.0, 50.0, 1e6, True),
    (1000.0, 150.0, 1e6, False),  # the outputs are on their way
    (1000.0, 50.0, 0.8e6, False),  # something is learnt
    (90.0, 5.0, 8100.0, False),  # not that far
])  # fmt: skip
def test_fires_where_the_outputs_are_nowhere_near_the_targets(std, spread, level, fires):
    """Centred targets: the loss stands at the level of their mean, which outputs of unit scale give as well."""
    known = {"loss_function": "mse", "target_mean": 0.0, "target_std": std, "target_shape": [32, 1]}
    batch = {step: {"output_example_std": spread} for step in (0, 16, 32, 48)}
    found = check_rule(UnscaledTargets, make_run([level] * 60, facts=known, batch=batch))
    assert bool(found) is fires


@pytest.mark.parametrize(
    ("types", "function", "fires"),
    [
        (["Linear"], "mse", False),
        (["Linear"], "l1", True),
        (["Linear", "Linear"], "mse", True),
    ],
)
def test_targets_have_no_part_in_a_linear_model_that_diverges(types, function, fires):
    """The curvature of its squared error is that of the inputs alone, whatever the targets are."""
    facts = {"loss_function": function, "target_mean": 52.0, "target_std": 26.0, "target_mean_square": 3380.0}
    layers = [LayerEntry(name=str(place), type=kind) for place, kind in enumerate(types)]
    run = make_run([3000.0, 1e6] + [math.inf] * 60, layers=layers, facts=facts)
    assert bool(check_rule(UnscaledTargets, run)) is fires
