"""Usual levels of signals that are not written at every step."""

import dataclasses
import math

import numpy as np

from trainhealth.rules.sampled import examples_an_epoch, usual_batch_size
from trainhealth.series import Series
from trainhealth.testing import make_run


def run_with(sizes):
    """Return a run of 100 steps with a batch size that changes at the steps of `sizes`."""
    view = make_run([1.0] * 100)
    series = Series("batch_size", np.array(list(sizes)), np.array(list(sizes.values()), np.float64))
    return dataclasses.replace(view, scalars={**view.scalars, "batch_size": series})


def test_the_usual_batch_size_is_that_of_most_steps():
    """A small last batch each epoch is written as often as the size of all others."""
    assert usual_batch_size(run_with({0: 64, 19: 3, 20: 64, 39: 3, 40: 64, 59: 3, 60: 64, 79: 3, 80: 64, 99: 3})) == 64


def test_the_last_batch_size_holds_until_the_end_of_the_run():
    """It is written once, and in force for ninety steps."""
    assert usual_batch_size(run_with({0: 8, 10: 256})) == 256


def test_the_usual_batch_size_is_unknown_where_it_is_not_logged():
    """A log of another tool may hold none."""
    assert math.isnan(usual_batch_size(make_run([1.0])))


def test_the_examples_of_an_epoch_are_its_steps_times_the_batch_size():
    """With one end of an epoch it is not known how long they are."""
    rows = [{"validation_loss": 1.0}] * 4
    assert examples_an_epoch(make_run([1.0] * 100, batch_size=8, epochs=rows)) == 25 * 8
    assert math.isnan(examples_an_epoch(make_run([1.0] * 100, batch_size=8, epochs=rows[:1])))
    assert math.isnan(examples_an_epoch(make_run([1.0] * 100, epochs=rows)))
