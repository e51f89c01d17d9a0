"""OP06: fires where plain SGD crosses a ravine to and fro, and gains little."""

import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.records import OptimizerInfo, RunInfo
from trainhealth.rules.optimization.zigzag_updates import ZigzagUpdates
from trainhealth.testing import check_rule, make_run

SLOW = [2.3 - 0.002 * step for step in range(200)]
FAST = [2.3 * 0.98**step for step in range(200)]


def judge(cosine, losses=SLOW, kind="SGD", samples=10, early=None, **settings):
    """Judge a run with this cosine in the samples of its second half, and `early` in those of its first."""
    batch = {100 + 9 * i: {"gradient_cosine": cosine} for i in range(samples)}
    batch |= {} if early is None else {10 * i: {"gradient_cosine": early} for i in range(10)}
    info = RunInfo(optimizers=[OptimizerInfo(name="", type=kind, groups=[{"lr": 0.1, **settings}])])
    return check_rule(ZigzagUpdates, make_run(losses, learning_rate=0.1, batch=batch, info=info))


def test_fires_where_each_gradient_undoes_the_one_before():
    """Cosine and loss in one sentence, and momentum as the first remedy."""
    (found,) = judge(-0.95)
    assert found.severity is Severity.WARNING
    assert found.message.startswith(
        "Successive gradients have a cosine of -0.95 at a learning rate of 0.1: steps undo each other, and train_loss"
    )
    assert found.recommendations[0].recipe == "nesterov"


def test_a_cosine_of_minus_a_half_counts_and_above_it_not():
    """Noise alone gives values around 0."""
    assert judge(-0.5)
    assert judge(-0.49) == ()
    assert judge(0.0) == ()


def test_both_halves_must_show_it():
    """Steps that are too long at first often heal."""
    assert judge(-0.95, early=-0.95)
    assert judge(-0.1, early=-0.95) == ()
    assert judge(-0.95, early=0.5, samples=5) == ()


def test_waits_for_five_samples():
    """A few to and fro are no ravine."""
    assert judge(-0.95, samples=5)
    assert judge(-0.95, samples=4) == ()


# --- when it is wrong ---


def test_silent_at_the_edge_of_stability():
    """Full-batch training at a good rate: gradients oppose each other, and the loss falls well."""
    assert judge(-0.95, losses=FAST) == ()


@pytest.mark.parametrize(("kind", "settings"), [("SGD", {"momentum": 0.9}), ("Adam", {})])
def test_momentum_and_adaptive_optimizers_are_not_meant(kind, settings):
    """Their path is not that of single gradients."""
    assert judge(-0.95, kind=kind, **settings) == ()


def test_an_unknown_optimizer_is_not_checked():
    """Whether there is momentum decides."""
    run = make_run(SLOW, batch={100: {"gradient_cosine": -0.9}})
    assert isinstance(check_rule(ZigzagUpdates, run), NotChecked)
