"""GR02: fires where gradients grow by orders of magnitude with depth, against the loss or with time, and it matters."""

import math

import numpy as np

from trainhealth.findings import Confidence, Severity
from trainhealth.records import ParameterEntry
from trainhealth.rules.gradients.exploding_gradients import ExplodingGradients
from trainhealth.testing import check_rule, make_run

FLAT = [2.3] * 200
FALLING = [2.3 * 0.98**step for step in range(200)]
BROKEN = [2.3 * 0.98**step for step in range(100)] + [400.0] * 100


def judge(gradients=(1.0,) * 6, losses=FLAT, norm=8.0, ratio=1e-3, first=0, clipped=None, scale=1.0):
    """Judge a run whose hidden weights have these gradients at every sample, the first of which is at step `first`."""
    gradients = [*gradients, gradients[-1]]  # the output layer's, which does not count over depth
    parameters = [ParameterEntry(name=f"{i}.weight", shape=[64, 64], layer=f"{i}") for i in range(len(gradients))]
    column = {
        "parameter_gradient_norm": [scale * g for g in gradients],
        "parameter_norm": [norm] * len(gradients),
        "update_ratio": [ratio] * len(gradients),
    }
    steps = [first, *range(8, 200, 8)]
    batch = None if clipped is None else {step: {"clipped_gradient_norm": clipped} for step in steps}
    run = make_run(
        [scale * loss for loss in losses], parameters=parameters, samples=dict.fromkeys(steps, column), batch=batch
    )
    return check_rule(ExplodingGradients, run)


def in_time(norms, losses=BROKEN, ratio=None):
    """Judge a run with a gradient norm at every step, and with an update ratio where one is given."""
    parameters = [ParameterEntry(name="0.weight", shape=[64, 64])]
    samples = None if ratio is None else {step: {"update_ratio": [ratio]} for step in range(0, 200, 5)}
    return check_rule(ExplodingGradients, make_run(losses, gradient_norm=norms, parameters=parameters, samples=samples))


def jump(times, at=99):
    return [1.0] * at + [float(times)] * (200 - at)


# --- over depth ---


def test_fires_where_the_untrained_model_magnifies_gradients():
    """The first layers get a thousand times the gradient of the last ones."""
    (found,) = judge(np.geomspace(1e5, 1.0, 6) * 1e-4)
    assert (found.severity, found.place, found.first_step) == (Severity.WARNING, "0.weight", 0)
    assert found.message.startswith("The first layers (0.weight …) get 10000 times the gradient of the last ones")
    assert [r.recipe for r in found.recommendations] == [
        "xavier-initialization",
        "gradient-clipping",
        "layer-normalization",
    ]


def test_a_thousand_times_counts_and_less_does_not():
    """Healthy nets are within a hundred."""
    assert judge([1.01, 1.01, 1e-3, 1e-3, 1e-3, 1e-3])
    assert judge([0.99, 0.99, 1e-3, 1e-3, 1e-3, 1e-3]) == ()


def test_a_log_that_begins_later_shows_no_start():
    """What updates have made of the gradients is another matter."""
    assert judge(np.geomspace(1e5, 1.0, 6) * 1e-4, first=2) == ()


# --- against the loss ---


def test_a_gradient_that_is_large_against_weight_and_loss():
    """8 x 300 / 2.3 is above a thousand: 0.001 of the weight would change the loss by its own value."""
    (found,) = judge([1.0, 1.0, 300.0, 1.0])
    assert found.message.startswith(
        "At step 0 a change of 2.weight by 0.001 of its norm would change train_loss, to first order, by 1 times"
    )
    assert judge([1.0, 1.0, 280.0, 1.0]) == ()


def test_weights_that_the_first_update_blew_up_were_smaller_before():
    """Norms are taken behind the update: a rate of 1000 makes the weights 2,000 times as large, whatever they were."""
    assert judge([1.0, 1.0, 300.0, 1.0], norm=2000.0)
    assert judge([1.0, 1.0, 300.0, 1.0], norm=2000.0, ratio=2000.0) == ()


def test_the_scale_of_the_loss_does_not_matter():
    """A summed loss and its gradients are larger by the same factor."""
    assert judge([1.0, 1.0, 280.0, 1.0], scale=64.0) == ()
    assert judge([1.0, 1.0, 300.0, 1.0], scale=1 / 64)


# --- over time ---


def test_a_jump_of_the_gradient_before_the_loss_breaks():
    """A hundred times the median before; a hint, as long as nobody knows the updates."""
    (found,) = in_time(jump(100))
    assert (found.severity, found.confidence, found.first_step) == (Severity.CRITICAL, Confidence.HINT, 99)
    assert found.message.startswith("At step 99 the gradient's norm is 100, 100 times the median before; train_loss")
    assert in_time(jump(99)) == ()


def test_ordinary_updates_before_it_make_it_likely():
    """A ratio of a tenth or more means that the rate has thrown the weights there."""
    (found,) = in_time(jump(100), ratio=0.01)
    assert found.confidence is Confidence.LIKELY
    assert in_time(jump(100), ratio=0.1) == ()


def test_a_gradient_that_overflows_is_a_jump():
    """Infinity is larger than all before; NaN is no size, and comes from elsewhere."""
    assert in_time(jump(math.inf))
    assert in_time(jump(math.nan)) == ()


def test_a_jump_after_the_loss_broke_is_its_effect():
    """At step 150 the loss has been lost for 50 steps."""
    assert in_time(jump(100, at=150)) == ()


def test_eight_values_show_what_is_usual():
    """The first gradients of a run are no yardstick."""
    assert in_time(jump(100, at=8), losses=[2.3] * 8 + [400.0] * 192)
    assert in_time(jump(100, at=7), losses=[2.3] * 7 + [400.0] * 193) == ()


# --- when it is wrong ---


def test_silent_at_a_loss_that_falls():
    """Steep batches and large gradients happen in healthy runs."""
    assert judge(np.geomspace(1e5, 1.0, 6), losses=FALLING) == ()
    assert in_time(jump(1000), losses=FALLING) == ()


def test_clipping_is_not_recommended_to_who_clips():
    """It is there, and did not help."""
    (found,) = judge(np.geomspace(1e5, 1.0, 6) * 1e-4, clipped=0.1)
    assert "gradient-clipping" not in [r.recipe for r in found.recommendations]
