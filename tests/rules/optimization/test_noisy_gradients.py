"""OP12: a hint where the batch is far below the gradients' noise scale and the loss gets nowhere."""

import math

from trainhealth.findings import Confidence, Severity
from trainhealth.records import ParameterEntry
from trainhealth.rules.optimization.noisy_gradients import NoisyGradients
from trainhealth.testing import check_rule, make_run

WEIGHTS = [ParameterEntry(name="0.weight", shape=[64, 64])]
FLAT = [2.3] * 300
FALLING = [2.3 * 0.98**step for step in range(300)]


def judge(scale, losses=FLAT, batch_size=8, ratio=1e-3, samples=10):
    steps = [29 * i for i in range(samples)]
    batch = {step: {"gradient_noise_scale": scale} for step in steps}
    columns = {step: {"update_ratio": [ratio]} for step in steps}
    run = make_run(losses, batch_size=batch_size, batch=batch, parameters=WEIGHTS, samples=columns, learning_rate=0.1)
    return check_rule(NoisyGradients, run)


def test_a_hint_where_updates_are_noise_and_the_loss_stands():
    """Batch and noise scale in one sentence; a larger batch is the remedy."""
    (found,) = judge(1000.0)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.HINT)
    assert found.message.startswith("The batch has 8 samples, and the gradients' noise scale is 1000 samples")
    change = found.recommendations[0].change
    assert (change.parameter, change.from_, change.to) == ("batch_size", 8, 64)


def test_a_twentieth_of_the_noise_scale_counts_and_more_does_not():
    """160 samples for a batch of 8."""
    assert judge(160.0)
    assert judge(159.0) == ()


def test_no_true_gradient_at_all_counts():
    """The scale is infinite where only noise shows."""
    (found,) = judge(math.inf)
    assert "beyond what can be measured" in found.message


def test_waits_for_eight_samples():
    """The scale is itself a noisy number."""
    assert judge(1000.0, samples=8)
    assert judge(1000.0, samples=7) == ()


# --- when it is wrong ---


def test_silent_where_the_loss_falls():
    """Small batches train well; near the optimum every gradient is noise."""
    assert judge(math.inf, losses=FALLING) == ()


def test_silent_where_the_steps_are_too_short_to_get_anywhere():
    """Then the rate is to blame, not the noise."""
    assert judge(1000.0, ratio=9e-4) == ()
