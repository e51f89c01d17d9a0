"""OP10: fires where gradients stand in the parameters step after step, and not where they are zeroed."""

import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.records import OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.rules.optimization.accumulating_gradients import AccumulatingGradients
from trainhealth.testing import check_rule, make_run

FALLING = [2.3 * 0.98**step for step in range(200)]
SGD = OptimizerInfo(name="", type="SGD")
STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128)


def judge(left, losses=FALLING, norm=1.0, optimizers=(SGD,), steps=STEPS):
    """Judge a run whose gradients have `norm`, with `left` (a number, or one a sample) standing before backward."""
    each = left if isinstance(left, list) else [0.0, *[left] * (len(steps) - 1)]
    norms = [norm] * len(losses)
    batch = {step: {"leftover_gradient_norm": value} for step, value in zip(steps, each, strict=True)}
    info = RunInfo(optimizers=list(optimizers))
    return check_rule(AccumulatingGradients, make_run(losses, gradient_norm=norms, batch=batch, info=info))


def test_fires_where_gradients_are_never_zeroed():
    """A warning at a loss that falls all the same; certain, with the recipe."""
    (found,) = judge(0.9)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.CERTAIN)
    assert "a gradient of norm 0.9 stood in the parameters before backward" in found.message
    assert found.recommendations[0].recipe == "zero-gradients"
    assert found.first_step == 1


def test_critical_where_the_loss_broke():
    """The loss explodes along the sum of all gradients."""
    (found,) = judge(0.9, losses=[2.3, 2.0, 5.0, *[400.0] * 197])
    assert found.severity is Severity.CRITICAL
    assert "train_loss rose from 2.3 to 400" in found.message


def test_a_tenth_of_the_gradient_counts_and_less_does_not():
    """What is left by accident is small."""
    assert judge(0.1)
    assert judge(0.09) == ()


def test_nine_of_ten_samples_must_show_it():
    """A step that is not zeroed now and then is no habit."""
    steps = tuple(range(21))
    assert judge([0.0, *[0.9] * 18, 0.0, 0.0], steps=steps)
    assert judge([0.0, *[0.9] * 17, 0.0, 0.0, 0.0], steps=steps) == ()


def test_waits_for_three_samples_after_the_first_step():
    """At step 0 nothing can be left."""
    assert judge(0.9, steps=(0, 1, 2, 4))
    assert judge(0.9, steps=(0, 1, 2)) == ()


@pytest.mark.parametrize("norm", [float("inf"), float("nan")])
def test_a_sum_that_has_overflowed_counts(norm):
    """The gradient is no number any more, and what stood before it was there."""
    assert judge(0.9, norm=norm)


# --- when it is wrong ---


def test_silent_where_gradients_are_zeroed():
    """Micro-batches of one step begin from zero, too."""
    assert judge(0.0) == ()


def test_adversaries_leave_gradients_in_each_other():
    """A generator's backward fills the discriminator's gradients, which are zeroed before they are used."""
    assert isinstance(judge(0.9, optimizers=(SGD, SGD)), NotChecked)


# --- several that take turns ---


def taking_turns(*shares, losses=FALLING):
    """Judge a run of two players, of whose gradients these shares stood there: one number, or one a sample."""
    weights = [ParameterEntry(name=name, shape=[8, 8]) for name in ("netG.weight", "netD.weight")]
    each = [share if isinstance(share, list) else [share] * len(STEPS) for share in shares]
    samples = {step: {"leftover_share": [column[i] for column in each]} for i, step in enumerate(STEPS)}
    run = make_run(
        losses,
        gradient_norm=[1.0] * len(losses),
        parameters=weights,
        samples=samples,
        info=RunInfo(optimizers=[SGD, SGD]),
    )
    return check_rule(AccumulatingGradients, run)


def test_a_player_whose_gradients_nobody_zeroes():
    """One of them is enough, and it is named."""
    (found,) = taking_turns(0.0, 0.8)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.CERTAIN)
    assert "0.8 of the gradient of netD.weight stood there" in found.message
    (found,) = taking_turns(0.9, 0.8)
    assert "netG.weight and netD.weight" in found.message


def test_players_that_zero_before_their_own_backward():
    """Nothing stands there at one of the backwards of each step; a tenth would count."""
    assert taking_turns(0.0, 0.0) == ()
    assert taking_turns(0.0, 0.09) == ()
    assert taking_turns(0.0, 0.1)
    assert taking_turns(0.0, [0.8] * 8 + [0.0]) == ()  # 8 of 9 are too few


def test_players_wait_for_three_samples():
    """A player that has moved twice may have begun late."""
    assert taking_turns(0.0, [None] * 6 + [0.8] * 3)
    assert taking_turns(0.0, [None] * 7 + [0.8] * 2) == ()
