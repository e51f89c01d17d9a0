"""RU04: fires on clients that lose by averaging, and not on those that gain."""

import numpy as np
import pytest

from tests.rules.run.fleet import fleet, wandering
from trainhealth.findings import NotChecked
from trainhealth.rules.run.client_drift import ClientDrift
from trainhealth.testing import check_rule, make_run

ROUND, STEPS = 20, 300
PHASE = np.arange(STEPS) % ROUND / ROUND


def judge(fall, every=ROUND, steps=STEPS, ranks=3):
    """Clients whose loss falls by the share `fall` from the beginning of a round to its end."""
    losses = (1 - fall * PHASE[:steps]) * (1 + np.random.default_rng(1).normal(0, 0.05, (ranks, steps)))
    return check_rule(ClientDrift, fleet(wandering(ranks, steps, every), losses))


@pytest.mark.parametrize(("fall", "fires"), [(0.7, True), (0.2, False)])
def test_fires_where_the_loss_jumps_at_every_averaging(fall, fires):
    """By 70 % of the loss, and by a fifth."""
    assert bool(judge(fall)) is fires


def test_says_how_far_they_go_and_what_they_lose():
    """And recommends the proximal term."""
    (found,) = judge(0.6)
    assert found.message.startswith("3 clients move up to ")
    assert "higher after one than before" in found.message
    assert found.recommendations[0].recipe == "fedprox"


def test_waits_for_24_common_samples():
    """Eight in each third."""
    assert isinstance(judge(0.6, steps=23), NotChecked)


# --- when it is wrong ---


def test_silent_on_clients_that_gain_by_averaging():
    """Data of one kind: the loss is lower afterwards, and rises with the distance."""
    assert judge(-0.5) == ()


def test_silent_on_ranks_that_never_come_together():
    """Their losses may fall and rise as they like: they are no clients of an averaging."""
    assert judge(0.6, every=None) == ()


def test_silent_on_equal_ranks():
    """Data parallel training: no distance at all."""
    weights = np.repeat(wandering(1, STEPS), 3, axis=0)
    losses = np.tile(1 - 0.6 * PHASE, (3, 1))
    assert check_rule(ClientDrift, fleet(weights, losses)) == ()


def test_not_checked_for_one_rank():
    """There is nobody to compare with."""
    run = make_run([1.0] * 100, samples={0: {"parameter_norm": []}}, parameters=[])
    assert isinstance(check_rule(ClientDrift, run), NotChecked)
