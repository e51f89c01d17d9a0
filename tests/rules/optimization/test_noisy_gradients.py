"""OP12: a hint where the batch is far below the gradients' noise scale and the loss gets nowhere."""

import math

from trainhealth.findings import Confidence, Severity
from trainhealth.records import ParameterEntry
from trainhealth.rules.optimization.noisy_gradients import NoisyGradients
from trainhealth.testing import check_rule, make_run

WEIGHTS = [ParameterEntry(name="0.weight", shape=[64, 64])]
FLAT = [2.3] * 300
FALLING = [2.3 * 0.98**step for step in range(300)]


def judge(
    scale, losses=FLAT, batch_size=8, ratio=0.1, samples=10, norm=8.0, gradient=2.0, early_scale=None, facts=None
):
    """Judge a run with this noise scale; a quarter of ratio x norm x gradient is 0.4, 17 % of the loss."""
    steps = [29 * i for i in range(samples)]
    each = [early_scale if early_scale and i < samples // 2 else scale for i in range(samples)]
    batch = {step: {"gradient_noise_scale": value} for step, value in zip(steps, each, strict=True)}
    column = {"update_ratio": [ratio], "parameter_norm": [norm], "parameter_gradient_norm": [gradient]}
    columns = dict.fromkeys(steps, column)
    run = make_run(
        losses,
        batch_size=batch_size,
        batch=batch,
        parameters=WEIGHTS,
        samples=columns,
        learning_rate=0.1,
        facts=facts or {},
    )
    return check_rule(NoisyGradients, run)


def test_a_hint_where_updates_are_noise_and_the_loss_stands():
    """Batch, noise scale and what the noise costs in one sentence; a larger batch is the remedy."""
    (found,) = judge(1000.0)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.HINT)
    assert found.message.startswith(
        "The batch size is 8, and the gradients' noise scale is 1000 samples: noise alone holds train_loss some 0.4 "
        "higher; train_loss began at 2.3"
    )
    change = found.recommendations[0].change
    assert (change.parameter, change.from_, change.to) == ("batch_size", 8, 64)


def test_a_twentieth_of_the_noise_scale_counts_and_more_does_not():
    """160 samples for a batch of 8, over the second half of the samples."""
    assert judge(160.0)
    assert judge(159.0) == ()
    assert judge(159.0, early_scale=1000.0) == ()


def test_an_infinite_scale_counts():
    """Where a random walk has come to rest no true gradient shows."""
    (found,) = judge(math.inf)
    assert "noise scale is beyond measure" in found.message


def test_silent_where_no_batch_is_known_to_be_large_enough():
    """No true gradient, and the loss of guessing among ten classes: inputs and labels may have nothing in common."""
    classes = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10}
    assert judge(math.inf, facts=classes) == ()
    assert judge(1000.0, facts=classes)
    assert judge(math.inf, losses=[2.1] * 300, facts=classes)


def test_a_twentieth_of_the_loss_counts_and_less_does_not():
    """Below it, larger batches would win little: labels that can't be learnt at an ordinary rate."""
    assert judge(1000.0, gradient=0.58)
    assert judge(1000.0, gradient=0.57) == ()


def test_waits_for_eight_samples():
    """The scale is itself a noisy number."""
    assert judge(1000.0, samples=8)
    assert judge(1000.0, samples=7) == ()


# --- when it is wrong ---


def test_silent_where_the_loss_falls():
    """Small batches train well; near the optimum every gradient is noise."""
    assert judge(1000.0, losses=FALLING, gradient=100.0) == ()


def test_a_loss_that_exploded_is_another_illness():
    """Gradients of a wreck are noise, too."""
    assert judge(1000.0, losses=[2.3] * 100 + [400.0] * 200, gradient=1e4) == ()
