"""RU03: fires on ranks that move apart for ever, and not on equal, averaged or sharded ones."""

import numpy as np
import pytest

from tests.rules.run.fleet import fleet, wandering
from trainhealth.findings import NotChecked
from trainhealth.rules.run.rank_desync import RankDesync
from trainhealth.testing import check_rule, make_run

POWERS = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512]


def judge(weights, sampled=POWERS):
    return check_rule(RankDesync, fleet(weights, sampled=sampled))


def moving_apart(ranks=3, count=600):
    """Each rank goes its own way: rank k by k times the step."""
    return 1 + 1e-4 * np.arange(ranks)[:, None, None] * np.arange(count)[None, :, None] * np.ones(3)


def test_fires_on_ranks_that_move_apart():
    """The message says how many, since when and how far."""
    (found,) = judge(moving_apart())
    assert found.message.startswith("3 ranks had equal weights at step 0, and at step 512")
    assert "DistributedDataParallel" in found.recommendations[0].action


@pytest.mark.parametrize(("distance", "fires"), [(1.2e-4, True), (0.8e-4, False)])
def test_fires_above_what_rounding_leaves(distance, fires):
    """Two ranks: the mean over steps 256 and 512 of half their standard deviation must exceed 1e-4."""
    at_the_end = moving_apart(2) - 1
    scale = distance / (float(at_the_end[:, 256].std(axis=0)[0] + at_the_end[:, 512].std(axis=0)[0]) / 4)
    assert bool(judge(1 + scale * at_the_end)) is fires


def test_fires_on_a_rank_that_is_left_behind():
    """Rank 1 has stopped at step 149, and the other goes on."""
    builder_weights = np.ones((2, 600, 3))
    run = fleet(builder_weights, sampled=[0])
    short = fleet(builder_weights[:, :150], sampled=[0])
    by_rank = {0: run.by_rank[0], 1: short.by_rank[1]}
    (found,) = check_rule(RankDesync, type(run)(scalars=run.scalars, by_rank=by_rank))
    assert found.message == "Rank 1 has stopped at step 149, and rank 0 is at step 599."


def test_waits_for_eight_measured_steps():
    """Up to step 32 there are seven."""
    assert isinstance(judge(moving_apart(), POWERS[:7]), NotChecked)
    assert judge(moving_apart(), POWERS[:8])


# --- when it is wrong ---


def test_silent_on_equal_ranks():
    """As data parallel training keeps them."""
    assert judge(np.repeat(wandering(1, 600), 3, axis=0)) == ()


def test_silent_on_ranks_that_are_averaged():
    """Federated clients after a few rounds: at most five of a hundred runs are taken for ranks out of step."""
    alarms = sum(bool(judge(wandering(3, 600, every=20, seed=seed))) for seed in range(100))
    assert alarms <= 5


def test_silent_on_shards():
    """Each rank holds another part of the weights, from the first step on."""
    assert judge(moving_apart() + np.array([0.0, 0.3, 0.7])[:, None, None]) == ()


def test_not_checked_for_one_rank():
    """There is nothing to compare."""
    assert isinstance(check_rule(RankDesync, make_run([1.0] * 100)), NotChecked)
