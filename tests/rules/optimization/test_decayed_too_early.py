"""OP03: fires where a cut of the rate ended a good fall, and not where the fall was over or goes on."""

from __future__ import annotations

import numpy as np
import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.records import ParameterEntry
from trainhealth.rules.optimization.decayed_too_early import DecayedTooEarly
from trainhealth.testing import check_rule, make_run

STEPS = np.arange(1, 1001)
POWER = 2.3 * np.minimum(1.0, (10 / STEPS) ** 0.45)  # 2.3 at first, 0.8 at step 100, 0.3 at the end


def judge(levels, cut=100, factor=0.1, share=0.03, **run):
    losses = np.asarray(levels) * (1 + np.random.default_rng(0).normal(0, share, len(levels)))
    rates = np.where(np.arange(len(levels)) < cut, 0.1, 0.1 * factor).tolist()
    return check_rule(DecayedTooEarly, make_run(losses.tolist(), **{"learning_rate": rates, **run}))


def stalled(cut, end=None):
    """The power law until the cut, and from there on the level that it had (or `end`)."""
    return np.where(cut >= STEPS, POWER, POWER[cut] if end is None else end)


def test_fires_where_the_fall_died_with_the_rate():
    """It names the cut, where the loss stood, and where it was heading."""
    (found,) = judge(stalled(100))
    assert found.severity is Severity.WARNING
    assert found.first_step == 100
    assert "from 0.1 to 0.01 at step 100" in found.message


@pytest.fixture(name="half")
def half_way():
    return stalled(100, 0.5 * POWER[100])


def test_silent_where_the_cut_brought_a_fall_of_its_own(half):
    """A healthy cut: the loss drops below the line."""
    assert judge(half) == ()


def test_silent_where_the_loss_had_stood_still():
    """Cut on a plateau."""
    assert judge(np.where(STEPS <= 50, 3.0 - STEPS / 50, 2.0), cut=500) == ()


def test_silent_at_a_low_loss():
    """Below a fifth of the first loss a floor is likelier than a missed fall."""
    assert judge(np.where(STEPS <= 300, 4.0 * STEPS**-0.6, 4.0 * 300**-0.6), cut=300) == ()


def test_silent_without_a_cut_or_with_a_smooth_decay():
    """Only sudden cuts are seen."""
    assert judge(stalled(100), cut=2000) == ()
    assert judge(stalled(100), learning_rate=np.geomspace(0.1, 1e-3, 1000).tolist()) == ()


def test_silent_where_little_follows_or_little_went_before():
    """A tenth of the run after the cut says little; twenty values before it give no slope."""
    assert judge(stalled(950), cut=950) == ()
    assert judge(stalled(15), cut=15) == ()


def test_silent_where_noise_hides_the_slope():
    """The flattest line that the noise allows leads nowhere."""
    assert judge(stalled(100), share=1.0) == ()


def test_silent_on_negative_losses():
    """They have no power law."""
    assert judge(stalled(100) - 1.5) == ()


def test_not_checked_early_with_rewards_or_without_rates():
    """Too short; no measure; nothing to look at."""
    assert isinstance(judge(POWER[:50], cut=20), NotChecked)
    assert isinstance(judge(stalled(100), epochs=[{"reward": 1.0}]), NotChecked)
    assert isinstance(judge(stalled(100), learning_rate=None), NotChecked)


WEIGHTS = [ParameterEntry(name=f"{i}.weight", shape=[64, 64]) for i in (0, 2)]


@pytest.mark.parametrize(
    ("ratio", "end", "fires"), [(1e-4, 1.4, True), (1e-3, 1.4, False), (1e-4, 0.5, True), (1e-4, 0.2, False)]
)
def test_fires_where_an_early_cut_leaves_only_tiny_updates(ratio, end, fires):
    """After 20 of 1000 steps no line can be drawn: tiny updates and a loss that creeps tell, above 0.1 of its start."""
    levels = np.concatenate([np.linspace(2.3, end + 0.2, 20), np.linspace(end + 0.2, end, 980)])
    samples = {step: {"update_ratio": [ratio] * 2} for step in range(0, 1000, 20)}
    found = judge(levels, cut=20, factor=0.01, parameters=WEIGHTS, samples=samples)
    assert bool(found) is fires
    if fires:
        assert "since then an update changes the weights by 0.0001 of their norm" in found[0].message
