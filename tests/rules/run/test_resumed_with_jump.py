"""RU05: fires where the loss is higher after resuming, and not where it goes on."""

import numpy as np
import pytest

from trainhealth.builder import RunBuilder
from trainhealth.findings import NotChecked, Severity
from trainhealth.records import StartRecord, StepRecord
from trainhealth.rules.run.resumed_with_jump import ResumedWithJump
from trainhealth.testing import check_rule

STEPS = np.arange(400)
FALLING = 0.3 + 2 * np.exp(-STEPS / 80)  # 2.3 -> 0.46 at step 200


def judge(losses, resumed=200, noise=0.02, rates=None):
    losses = losses + np.random.default_rng(0).normal(0, noise, len(losses))
    records = [
        StepRecord(step=int(step), time=float(step), train_loss=float(loss), learning_rate=(rates or {}).get(int(step)))
        for step, loss in zip(STEPS, losses, strict=False)
    ]
    if resumed is not None:
        records.insert(resumed, StartRecord(step=resumed, time=float(resumed), resumed=True))
    builder = RunBuilder()
    builder.feed(records)
    return check_rule(ResumedWithJump, builder.view())


def jump(height, heals=400):
    """`FALLING`, higher by `height` for `heals` steps from step 200 on."""
    after = STEPS - 200
    return FALLING + height * ((after >= 0) & (after < heals))


@pytest.mark.parametrize(("height", "fires"), [(0.25, True), (0.15, False)])
def test_fires_on_a_tenth_of_the_gain(height, fires):
    """1.84 had been gained: just above and just below 0.18, and twenty steps of falling."""
    assert bool(judge(jump(height))) is fires


def test_says_where_and_what_became_of_the_rate():
    """The schedule began anew."""
    (found,) = judge(jump(0.6), rates={0: 0.1, 100: 0.01, 200: 0.1})
    assert found.message.startswith("train_loss was 0.4")
    assert "resumed at step 200" in found.message
    assert "the learning rate went from 0.01 to 0.1" in found.message
    assert (found.severity, found.first_step) == (Severity.WARNING, 200)


def test_is_critical_where_the_weights_are_gone():
    """The loss is back where it began."""
    (found,) = judge(np.where(STEPS < 200, FALLING, 2.3))
    assert found.severity is Severity.CRITICAL
    assert "most of what had been learnt is gone" in found.message


# --- not before there is enough ---


def test_not_checked_where_nothing_was_resumed():
    """A jump in the middle of a process has another cause."""
    assert isinstance(judge(jump(0.6), resumed=None), NotChecked)


def test_waits_for_five_values_on_both_sides():
    """Four steps after resuming are too few, and so are four before it."""
    assert judge(jump(1.0)[:204]) == ()
    assert judge(jump(1.0)[:205])
    assert judge(np.where(STEPS < 4, 0.3, 2.3), resumed=4) == ()


# --- when it is wrong ---


def test_silent_where_it_goes_on():
    """And where it goes on better than before."""
    assert judge(FALLING) == ()
    assert judge(jump(-0.2)) == ()


def test_silent_on_a_jump_within_the_noise():
    """A quarter of the gain, and noise as large."""
    assert judge(jump(0.3), noise=0.4) == ()


def test_silent_on_a_spike_that_heals_at_once():
    """Fewer than half of the twenty values after it."""
    assert judge(jump(1.0, heals=8)) == ()
