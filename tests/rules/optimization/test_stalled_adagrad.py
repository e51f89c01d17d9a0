"""OP07: fires where AdaGrad's steps have decayed while there was still something to learn."""

import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.records import OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.rules.optimization.stalled_adagrad import StalledAdagrad
from trainhealth.testing import check_rule, make_run

WEIGHTS = [ParameterEntry(name=f"{i}.weight", shape=[64, 64]) for i in (0, 2)]
STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 320, 399)
STALLED = [2.3, 2.1, 2.0, *[1.9] * 397]


def judge(ratio_end=1e-5, gradient_end=1.0, losses=STALLED, kind="Adagrad", learning_rate=0.01, begun=1e-3, norm=6.4):
    """Judge a run whose last six samples have this ratio and gradient; the first six have `begun` and 1."""
    samples, norms = {}, [1.0] * 300 + [gradient_end] * 100
    for step in STEPS:
        samples[step] = {"update_ratio": [ratio_end if step >= 32 else begun] * 2, "parameter_norm": [norm] * 2}
        samples[step] |= {"effective_learning_rate": [0.05] * 2}
    info = RunInfo(optimizers=[OptimizerInfo(name="", type=kind)])
    run = make_run(
        losses, parameters=WEIGHTS, samples=samples, gradient_norm=norms, info=info, learning_rate=learning_rate
    )
    return check_rule(StalledAdagrad, run)


def test_fires_where_the_steps_have_decayed_and_the_loss_stands():
    """The updates' fall, the effective rate and the loss in one sentence; Adam forgets."""
    (found,) = judge()
    assert found.severity is Severity.WARNING
    assert found.message.startswith(
        "AdaGrad's updates fell from 0.001 to 1e-05 of the weights (effective rate: 0.05), while the gradient is still "
        "there; train_loss"
    )
    assert found.recommendations[0].change.to == "Adam"


def test_a_twentieth_of_a_fresh_update_counts_and_more_does_not():
    """Weights of rms 0.1 at a rate of 0.01: a fresh update is a tenth; at a rate of 1e-5 it is 1e-4."""
    assert judge(ratio_end=4.9e-6, learning_rate=1e-5)
    assert judge(ratio_end=5.1e-6, learning_rate=1e-5) == ()


def test_updates_above_a_fifth_of_a_thousandth_still_move():
    """2e-4 is the limit, as for a rate that is too low."""
    assert judge(ratio_end=2e-4)
    assert judge(ratio_end=2.1e-4) == ()


def test_a_gradient_that_has_vanished_is_no_decay():
    """Below a tenth of the first gradients there is little left to step along."""
    assert judge(gradient_end=0.11)
    assert judge(gradient_end=0.09) == ()


def test_silent_while_the_loss_is_low_or_falls():
    """The effective rate falls in every run of AdaGrad."""
    assert judge(losses=[2.3 * 0.99**step + 0.05 for step in range(400)]) == ()


@pytest.mark.parametrize("kind", ["Adam", "SGD", "RMSprop"])
def test_other_optimizers_are_not_meant(kind):
    """Only AdaGrad's sum never forgets."""
    assert judge(kind=kind) == ()


def test_updates_that_were_never_larger_have_not_decayed():
    """The rate was too low from the start."""
    assert judge(begun=1e-4) == ()


def test_an_unknown_optimizer_is_not_checked():
    """Only AdaGrad is meant."""
    run = make_run(STALLED, parameters=WEIGHTS, samples={0: {"update_ratio": [1e-3] * 2}})
    assert isinstance(check_rule(StalledAdagrad, run), NotChecked)
