"""What weights did between samples: only those of two or more dimensions count."""

import math

import pytest

from trainhealth.records import ParameterEntry
from trainhealth.rules.weights import leap, trained_before
from trainhealth.testing import make_run

ENTRIES = [*(ParameterEntry(name=f"{i}.weight", shape=[4, 4]) for i in range(3)), ParameterEntry(name="b", shape=[4])]


def run_of(*norms):
    """Return a run of (step, norms of the three weights), beside a bias that grows tenfold each time."""
    samples = {step: {"parameter_norm": [*values, 10.0**i]} for i, (step, values) in enumerate(norms)}
    return make_run([1.0] * 300, parameters=ENTRIES, samples=samples)


def test_the_largest_growth_from_one_sample_to_the_next():
    """The median over weights: one that shoots up does not count, and a bias neither."""
    run = run_of((0, [1.0, 1.0, 1.0]), (32, [1.0, 2.0, 9.0]), (64, [6.0, 12.0, 9.0]))
    assert leap(run, 64) == 6.0


def test_samples_that_are_far_apart_tell_nothing():
    """In many steps weights may grow however small each step is."""
    run = run_of((0, [1.0] * 3), (32, [1.5] * 3), (256, [15.0] * 3))
    assert leap(run, 64) == 1.5
    assert math.isnan(leap(run_of((0, [1.0] * 3)), 64))


@pytest.mark.parametrize(("gain", "trained"), [(1.0, False), (1.3, True), (0.0, True)])
def test_gains_that_are_not_one_have_been_trained(gain, trained):
    """A normalisation layer of nine units has a gain of norm 3 when it is new; a bias of norm 0 says nothing."""
    entries = [ParameterEntry(name="norm.weight", shape=[9]), ParameterEntry(name="norm.bias", shape=[9])]
    run = make_run([1.0] * 3, parameters=entries, samples={0: {"parameter_norm": [3.0 * gain, 0.0]}})
    assert trained_before(run) is trained


def test_without_normalisation_layers_weights_look_fresh():
    """Nothing tells."""
    assert not trained_before(run_of((0, [1.0, 1.0, 1.0])))
    assert not trained_before(make_run([1.0] * 3))
