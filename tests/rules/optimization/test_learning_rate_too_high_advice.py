"""OP01's advice: a rate that is computed from the run, and what goes with it."""

import math

import numpy as np
import pytest

from trainhealth.records import ParameterEntry
from trainhealth.rules.optimization.learning_rate_too_high import LearningRateTooHigh
from trainhealth.testing import check_rule, make_run

WEIGHTS = [ParameterEntry(name=f"{i}.weight", shape=[64, 64]) for i in (0, 2, 4)]
SAMPLED = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256]

FALLING = 2.2 * np.exp(-np.arange(300) / 40) + 0.1
OVERFLOWING = [2.3, 2.4, 4.0, 40.0, 1e9, *[math.nan] * 20]


def fired(losses, ratio, **run):
    """The finding of a run in which the updates of all weights are `ratio`."""
    samples = {step: {"update_ratio": [ratio] * 3} for step in SAMPLED}
    (found,) = check_rule(LearningRateTooHigh, make_run(list(losses), parameters=WEIGHTS, samples=samples, **run))
    return found


def test_the_rate_is_set_so_that_the_first_updates_would_be_small():
    """0.5 x 3e-3 / 0.6 = 0.0025, on the grid 1, 3, 10, …: 0.003."""
    change = fired(OVERFLOWING, 0.6, learning_rate=0.5).recommendations[0].change
    assert (change.parameter, change.from_, change.to) == ("learning_rate", 0.5, 0.003)


@pytest.mark.parametrize(("ratio", "to"), [(0.011, 0.1), (50.0, 0.001)])
def test_the_rate_is_lowered_by_3_at_least_and_by_1000_at_most(ratio, to):
    """A ratio measured in a wreck says little about health."""
    assert fired(OVERFLOWING, ratio, learning_rate=0.5 if ratio < 1 else 1.0).recommendations[0].change.to == to


def test_an_unknown_rate_is_divided():
    """Without a rate there is an action, and no change that a program could apply."""
    advice = fired(OVERFLOWING, 0.6).recommendations[0]
    assert advice.change is None
    assert advice.action.startswith("Divide the learning rate by 10")


def test_unscaled_data_are_named():
    """Inputs around 200 and targets around 150 make gradients, and so updates, large by themselves."""
    found = fired(
        OVERFLOWING,
        0.6,
        batch={0: {"input_mean": 120.0, "input_std": 200.0}},
        facts={"target_mean_square": 22500.0},
    )
    assert [advice.recipe for advice in found.recommendations] == [
        "lower-learning-rate",
        "standardize-inputs",
        "scale-targets",
    ]


def test_warm_up_is_for_trouble_in_the_first_steps_and_clipping_for_later():
    """Early: warm-up, then clipping. Late: clipping only."""
    early = fired(OVERFLOWING, 0.6)
    assert [advice.recipe for advice in early.recommendations] == [
        "lower-learning-rate",
        "warm-up",
        "gradient-clipping",
    ]
    overthrown = fired(OVERFLOWING, 6.0)  # no warm-up makes up for that
    assert [advice.recipe for advice in overthrown.recommendations] == ["lower-learning-rate", "gradient-clipping"]
    late = fired([*FALLING, *[2.3] * 100], 0.2)
    assert [advice.recipe for advice in late.recommendations] == ["lower-learning-rate", "gradient-clipping"]


def test_clipping_is_not_recommended_to_who_clips():
    """The optimizer got less than backward left."""
    losses = [*[2.3] * 20, *[400.0] * 180]
    parameters = [ParameterEntry(name="0.weight", shape=[64, 64])]
    samples = {step: {"update_ratio": [3.0], "parameter_gradient_norm": [9.0]} for step in range(0, 200, 10)}
    for norm, advised in ((9.0, True), (1.0, False)):
        batch = {step: {"clipped_gradient_norm": norm} for step in range(0, 200, 10)}
        (found,) = check_rule(
            LearningRateTooHigh, make_run(losses, parameters=parameters, samples=samples, batch=batch)
        )
        assert ("gradient-clipping" in [r.recipe for r in found.recommendations]) is advised
