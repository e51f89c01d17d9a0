"""DA07: fires where all targets are one and the same."""

import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.rules.data.degenerate_targets import DegenerateTargets
from trainhealth.testing import check_rule, make_run

TO_ZERO = [1.0, 0.5, 0.1, 0.01, 0.01, 0.01, 0.01]
FLAT = [0.7] * 7


def judge(low, high, function, losses=TO_ZERO, *, size=50, seen=1.0, **run):
    batch = {step: {"target_minimum": low, "target_maximum": high, "classes_seen": seen} for step in range(len(losses))}
    made = make_run(losses, batch_size=size, batch=batch, facts={"loss_function": function}, **run)
    return check_rule(DegenerateTargets, made)


@pytest.mark.parametrize("losses", [TO_ZERO, FLAT])
def test_fires_on_one_class(losses):
    """Whatever the loss does."""
    (found,) = judge(3.0, 3.0, "cross_entropy", losses)
    assert found.severity is Severity.CRITICAL
    assert "All targets in 7 sampled batches (350 examples) are 3" in found.message


def test_fires_on_one_number_that_is_learnt():
    """A regression's, or all yes."""
    assert judge(2.5, 2.5, "mse")
    assert judge(1.0, 1.0, "binary_cross_entropy_with_logits")


@pytest.mark.parametrize(
    ("low", "high", "function", "losses"),
    [(0.0, 1.0, "mse", TO_ZERO), (0.0, 0.0, "mse", TO_ZERO), (1.0, 1.0, "binary_cross_entropy", FLAT)],
    ids=["different", "residuals", "generator"],
)
def test_silent_on_what_is_meant(low, high, function, losses):
    """Different targets; residuals that are driven to zero; ones that a generator never reaches."""
    assert judge(low, high, function, losses) == ()


def test_silent_on_probabilities_and_adversaries():
    """Uniform probabilities belong to several classes; a generator's targets are all ones."""
    assert judge(0.1, 0.1, "soft_cross_entropy", seen=2.0) == ()
    assert judge(1.0, 1.0, "binary_cross_entropy", evaluations={1: {"loss_D": 1.0, "loss_G": 1.0}}) == ()


def test_needs_enough_examples():
    """Two hundred."""
    assert isinstance(judge(3.0, 3.0, "cross_entropy", size=28), NotChecked)
