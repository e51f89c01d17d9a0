"""DA10: fires where targets are outside of what the loss is defined for."""

import dataclasses

import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.records import ErrorRecord
from trainhealth.rules.data.out_of_range_targets import OutOfRangeTargets
from trainhealth.testing import check_rule, make_run

WITH_LOGITS = "binary_cross_entropy_with_logits"


def judge(low, high, function=WITH_LOGITS, error=None, classes=None):
    batch = {step: {"target_minimum": low, "target_maximum": high} for step in range(4)}
    run = make_run([1.0] * 8, batch=batch, facts={"loss_function": function, "classes": classes})
    stopped = ErrorRecord(step=8, time=0.0, type="IndexError", message=error) if error else None
    return check_rule(OutOfRangeTargets, dataclasses.replace(run, error=stopped))


@pytest.mark.parametrize(
    ("low", "high", "severity"),
    [
        (1.0, 2.0, Severity.CRITICAL),
        (-1.0, 1.0, Severity.CRITICAL),
        (0.0, 255.0, Severity.CRITICAL),
        (0.0, 1.2, Severity.WARNING),
    ],
)
def test_fires_on_binary_targets_beyond_0_and_1(low, high, severity):
    """Classes 1 and 2, -1 and 1, pixels; noisy labels of a discriminator are a warning only."""
    (found,) = judge(low, high)
    assert found.severity is severity
    assert f"{WITH_LOGITS} is defined for targets from 0 to 1." in found.message


@pytest.mark.parametrize(
    ("low", "high", "function"),
    [
        (0.0, 1.0, WITH_LOGITS),
        (0.05, 0.95, "binary_cross_entropy"),
        (-0.0005, 1.0005, WITH_LOGITS),
        (-1.0, 1.0, "soft_margin"),
        (0.0, 255.0, "cross_entropy"),
        (-5.0, 300.0, "mse"),
    ],
)
def test_silent_on_targets_of_the_losss_domain(low, high, function):
    """Smoothed labels, rounding, both signs, an index that is ignored, any number for a squared error."""
    assert judge(low, high, function) == ()


def test_fires_on_zeros_for_soft_margin():
    """It has no gradient for them."""
    (found,) = judge(0.0, 1.0, "soft_margin")
    assert "targets -1 and 1" in found.message


def test_names_the_label_at_which_a_run_stopped():
    """Torch stops with these words."""
    (found,) = judge(0.0, 3.0, "cross_entropy", "Target 4 is out of bounds.", classes=4)
    assert found.message == (
        "The run stopped after step 7 at a target of 4: the model has 4 outputs, for classes 0 to 3."
    )
    assert "5 outputs" in found.recommendations[0].action
    (found,) = judge(0.0, 3.0, "cross_entropy", "Target -1 is out of bounds.")
    assert "ignore_index" in found.recommendations[0].action
    assert judge(0.0, 3.0, "cross_entropy", "CUDA out of memory") == ()


def test_not_checked_without_targets_or_loss():
    """Neither is guessed."""
    run = make_run([1.0], facts={"loss_function": WITH_LOGITS})
    assert isinstance(check_rule(OutOfRangeTargets, run), NotChecked)
    assert isinstance(check_rule(OutOfRangeTargets, make_run([1.0])), NotChecked)


BOTTOMLESS = [0.7 - 40.0 * epoch**3 for epoch in range(12)]


def test_in_a_log_of_losses_a_loss_without_a_minimum_is_a_hint():
    """What binary cross-entropy does with classes 1 to 3; the log doesn't say which loss it is."""
    (found,) = check_rule(OutOfRangeTargets, make_run(BOTTOMLESS))
    assert found.confidence is Confidence.HINT
    assert "from 0.7 to " in found.message
    assert found.recommendations[0].recipe == "check-labels"


@pytest.mark.parametrize(
    "losses",
    [
        BOTTOMLESS[:7],
        [0.7 - 4.0 * epoch**2 for epoch in range(12)],
        [3000.0 - 60000.0 * (1 - 0.5**epoch) for epoch in range(24)],
        [1.0 - 5000.0 * (1 - 0.5**epoch) for epoch in range(24)],
    ],
    ids=["too few values", "not far enough", "a likelihood of many dimensions", "one that has converged"],
)
def test_losses_below_zero_that_have_a_minimum_are_not_checked(losses):
    """A density may be above 1, and so a likelihood's loss below 0."""
    assert isinstance(check_rule(OutOfRangeTargets, make_run(losses)), NotChecked)


def test_the_losses_of_adversaries_may_fall_without_end():
    """A critic's loss has no minimum."""
    run = make_run(BOTTOMLESS, evaluations={11: {"d_loss": 1.0, "g_loss": 1.0}})
    assert isinstance(check_rule(OutOfRangeTargets, run), NotChecked)
