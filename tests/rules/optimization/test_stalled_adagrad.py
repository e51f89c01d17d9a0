"""OP07: fires where AdaGrad's steps have decayed while there was still something to learn."""

import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.records import OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.rules.optimization.stalled_adagrad import StalledAdagrad
from trainhealth.testing import check_rule, make_run

WEIGHTS = [ParameterEntry(name=f"{i}.weight", shape=[64, 64]) for i in (0, 2)]
STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 320, 399)
STALLED = [2.3, 2.1, 2.0, *[1.9] * 397]


def judge(effective_end=0.05, ratio_end=1e-5, gradient_end=1.0, losses=STALLED, kind="Adagrad", known=True):
    """Judge a run whose last six samples have these values; the first six have 1, 1e-3 and 1."""
    samples, norms = {}, [1.0] * 32 + [gradient_end] * 368
    for step in STEPS:
        late = step >= 32
        samples[step] = {"update_ratio": [ratio_end if late else 1e-3] * 2}
        samples[step] |= {"effective_learning_rate": [effective_end if late else 1.0] * 2} if known else {}
    info = RunInfo(optimizers=[OptimizerInfo(name="", type=kind)])
    run = make_run(losses, parameters=WEIGHTS, samples=samples, gradient_norm=norms, info=info)
    return check_rule(StalledAdagrad, run)


def test_fires_where_the_steps_have_decayed_and_the_loss_stands():
    """The rate's fall, the updates' and the loss in one sentence; Adam forgets."""
    (found,) = judge()
    assert found.severity is Severity.WARNING
    assert found.message.startswith(
        "AdaGrad's effective rate fell from 1 to 0.05, and updates from 0.001 to 1e-05 of the weights; train_loss"
    )
    assert found.recommendations[0].change.to == "Adam"


def test_a_tenth_of_the_first_rate_counts_and_more_does_not():
    """A tenth is what a hundred steps of equal gradients make of it."""
    assert judge(effective_end=0.099)
    assert judge(effective_end=0.101) == ()


def test_updates_above_a_fifth_of_a_thousandth_still_move():
    """2e-4 is the limit, as for a rate that is too low."""
    assert judge(ratio_end=2e-4)
    assert judge(ratio_end=2.1e-4) == ()


def test_a_gradient_that_has_vanished_is_no_decay():
    """Below a tenth of the first gradients there is little left to step along."""
    assert judge(gradient_end=0.1)
    assert judge(gradient_end=0.09) == ()


def test_silent_while_the_loss_is_low_or_falls():
    """The effective rate falls in every run of AdaGrad."""
    assert judge(losses=[2.3 * 0.99**step + 0.05 for step in range(400)]) == ()


@pytest.mark.parametrize("kind", ["Adam", "SGD", "RMSprop"])
def test_other_optimizers_are_not_meant(kind):
    """Only AdaGrad's sum never forgets."""
    assert judge(kind=kind) == ()


def test_not_checked_without_the_optimizers_state():
    """How far the rate has fallen only the optimizer knows."""
    assert isinstance(judge(known=False), NotChecked)
