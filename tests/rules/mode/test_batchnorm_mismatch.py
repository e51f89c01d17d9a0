"""MO03: fires where batch norm's running statistics are not those of the batches."""

import pytest

from trainhealth.findings import NotChecked
from trainhealth.records import LayerEntry
from trainhealth.rules.mode.batchnorm_mismatch import BatchnormMismatch
from trainhealth.testing import check_rule, make_run

LAYERS = [
    LayerEntry(name=name, type=kind) for name, kind in (("0", "Linear"), ("1", "BatchNorm1d"), ("4", "BatchNorm1d"))
]
SAMPLED = (0, 1, 16, 64, 128, 256)


def judge(gap, ratio=1.0, *, batch_size=32, steps=SAMPLED, **run):
    """`gap` is that of all samples, or a mapping from steps to gaps."""
    gaps = gap if isinstance(gap, dict) else dict.fromkeys(steps, gap)
    samples = {
        step: {"batchnorm_mean_gap": [None, 0.1, gaps[step]], "batchnorm_variance_ratio": [None, 1.0, ratio]}
        for step in steps
    }
    made = make_run([1.0] * 900, batch_size=batch_size, layers=LAYERS, samples=samples, **run)
    return check_rule(BatchnormMismatch, made)


def test_fires_where_the_running_mean_is_a_deviation_away():
    """The worst layer is named."""
    (found,) = judge(1.0)
    assert found.place == "4"
    assert found.message == (
        "The batches' means at 4 are 1 standard deviations away from the running mean that evaluation uses."
    )
    assert judge(0.99) == ()


def test_fires_where_variances_are_apart():
    """By a factor of three, either way."""
    assert judge(0.1, 3.0)[0].evidence[0].signal == "batchnorm_variance_ratio"
    assert judge(0.1, 0.33)
    assert judge(0.1, 2.9) == ()
    assert judge(0.1, 0.35) == ()


def test_small_batches_are_an_illness_of_their_own():
    """At 8 examples or fewer, the mean of six values scatters too much; the advice is another normalisation."""
    (found,) = judge(0.4, batch_size=4)
    assert found.recommendations[0].recipe == "group-normalization"
    assert judge(0.39, batch_size=4) == ()  # images have many values a channel
    assert judge(0.6, 0.3, batch_size=4)


def test_the_scatter_of_small_batches_is_that_of_all_samples():
    """The last three may lie close together by chance."""
    steps = tuple(range(50, 850, 50))
    gaps = dict.fromkeys(steps, 0.6) | dict.fromkeys(steps[-3:], 0.2)
    assert judge(gaps, steps=steps, batch_size=3)[0].evidence[0].observed == pytest.approx(0.6)


def test_the_first_steps_do_not_count():
    """Running statistics begin at 0 and 1."""
    assert isinstance(judge(5.0, steps=(0, 1, 2, 4, 8, 16, 32)), NotChecked)


def test_adversaries_are_not_checked():
    """A discriminator sees two kinds of batches in turn."""
    assert isinstance(judge(3.0, evaluations={1: {"loss_D": 1.0, "loss_G": 1.0}}), NotChecked)


def test_silent_on_frozen_batch_norm():
    """In evaluation mode it uses its running statistics in training as well."""
    batch = {step: {"training_mode": 0.0} for step in SAMPLED}
    assert judge(3.0, batch=batch) == ()


def test_two_samples_can_tell():
    """A short run has no more; one may be an accident."""
    assert judge(0.1, 0.01, steps=(0, 1, 64, 128))
    assert isinstance(judge(0.1, 0.01, steps=(0, 1, 64)), NotChecked)
