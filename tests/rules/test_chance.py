"""What is known of a model that knows nothing: the variance of the targets, from a few of them or from many."""

import numpy as np
import pytest

from trainhealth.rules.chance import chance_level
from trainhealth.testing import make_run

FACTS = {"loss_function": "mse", "target_shape": [3, 1], "target_mean_square": 0.02, "target_std": 0.1}


def test_the_variance_of_targets_is_that_of_all_batches():
    """Three targets that happen to lie together say little; within and between the batches it adds up to the whole."""
    batches = np.random.default_rng(0).normal(2.0, 3.0, (200, 3))
    samples = {
        step: {"target_mean": float(batch.mean()), "target_std": float(batch.std())}
        for step, batch in enumerate(batches)
    }
    chance = chance_level(make_run([1.0] * 200, facts=FACTS, batch=samples))
    assert chance.constant == pytest.approx(batches.var())
    assert chance.untrained == 0.02  # of the batch that the first loss is of
    assert chance.uncertain == pytest.approx((2 / 600) ** 0.5)


def test_the_first_batch_counts_where_no_other_is_known():
    """A log that ended after its first sample."""
    chance = chance_level(make_run([1.0] * 3, facts=FACTS))
    assert chance.constant == pytest.approx(0.01)
    assert chance.uncertain == pytest.approx((2 / 3) ** 0.5)


def test_targets_that_are_no_numbers_tell_nothing():
    """Samples without a finite mean are passed over."""
    samples = {step: {"target_mean": float("nan"), "target_std": 5.0} for step in range(4)}
    assert chance_level(make_run([1.0] * 4, facts=FACTS, batch=samples)).constant == pytest.approx(0.01)
