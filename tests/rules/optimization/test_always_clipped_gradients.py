"""OP11: a note where plain SGD is clipped strongly at nearly every step."""

import pytest

from trainhealth.findings import Severity
from trainhealth.records import OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.rules.optimization.always_clipped_gradients import AlwaysClippedGradients
from trainhealth.testing import check_rule, make_run

FALLING = [2.3 * 0.99**step for step in range(200)]


def judge(norms, limit, optimizer="SGD", **run):
    """Judge a run that samples every tenth step, with gradients of these norms clipped at `limit`."""
    batch = {10 * i: {"clipped_gradient_norm": min(norm, limit)} for i, norm in enumerate(norms)}
    every = [norms[min(step // 10, len(norms) - 1)] for step in range(200)]
    info = RunInfo(optimizers=[OptimizerInfo(name="", type=optimizer)])
    return check_rule(AlwaysClippedGradients, make_run(FALLING, gradient_norm=every, batch=batch, info=info, **run))


def test_a_note_where_clipping_sets_every_steps_length():
    """The limit that would leave nine of ten gradients alone is named."""
    (found,) = judge([20.0] * 20, 1.0)
    assert found.severity is Severity.NOTE
    assert found.message == (
        "Gradients are clipped in 100 % of the sampled steps, from 20 to 1 (medians of their norms)."
    )
    assert found.recommendations[0].action.startswith("Raise the limit from 1 to 20, and divide the rate by 20")


def test_a_tenth_of_the_norm_is_strong_and_more_is_not():
    """Clipping a gradient to half of its size at every step is ordinary."""
    assert judge([10.0] * 20, 1.0)
    assert judge([9.9] * 20, 1.0) == ()


def test_one_step_in_ten_that_is_not_clipped_is_enough():
    """Clipping that acts on steep steps only is what it is for."""
    assert judge([20.0] * 19 + [0.5], 1.0)
    assert judge([20.0] * 18 + [0.5] * 2, 1.0) == ()


def test_waits_for_sixteen_samples():
    """First steps are steep."""
    assert judge([20.0] * 16, 1.0)
    assert judge([20.0] * 15, 1.0) == ()


@pytest.mark.parametrize("optimizer", ["Adam", "AdamW", "RMSprop"])
def test_adaptive_optimizers_divide_it_out(optimizer):
    """Transformers are trained so."""
    assert judge([20.0] * 20, 1.0, optimizer) == ()


def test_gradients_outside_of_the_optimizer_are_not_clipped_away():
    """A backbone that has gradients and no optimizer counts neither before nor after."""
    parameters = [
        ParameterEntry(name="backbone.weight", shape=[4, 4], optimized=False),
        ParameterEntry(name="head.weight", shape=[4, 4]),
    ]
    samples = {10 * i: {"parameter_gradient_norm": [20.0, 1.0]} for i in range(20)}
    assert judge([20.0] * 20, 1.0, parameters=parameters, samples=samples) == ()
