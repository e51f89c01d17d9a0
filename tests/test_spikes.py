"""Spikes that last are found with their place and height; single values are not."""

from __future__ import annotations

import numpy as np
import pytest

from trainhealth.series import Series
from trainhealth.spikes import spikes

NOISE = np.random.default_rng(0).normal(0, 0.1, 1000)


def curve(values):
    return Series("x", np.arange(len(values)), np.asarray(values, np.float64))


def with_spike(at, length, height=5.0):
    values = 1.0 + NOISE
    values[at : at + length] += height
    return values


def test_a_rise_that_lasts_is_found_where_it_is():
    """First and last step, the level before, the median height, and that it healed."""
    (found,) = spikes(curve(with_spike(500, 20)), 8, 9)
    assert found.first_step == 500
    assert abs(found.last_step - 519) <= 5
    assert found.level == pytest.approx(1.0, abs=0.1)
    assert found.height == pytest.approx(6.0, abs=0.2)
    assert found.healed


@pytest.mark.parametrize("length", [1, 2, 4])
def test_values_that_are_back_at_once_are_none(length):
    """A hard batch, or a few of them: most of nine values lie at the level."""
    assert spikes(curve(with_spike(500, length)), 8, 9) == []
    assert len(spikes(curve(with_spike(500, length)), 8, 1)) == 1


def test_a_rise_that_never_comes_back_has_not_healed():
    """The curve ends in it."""
    (found,) = spikes(curve(with_spike(500, 500)), 8, 9)
    assert not found.healed
    assert found.last_step == 999


def test_a_rise_that_has_just_begun_has_not_lasted():
    """The last four values may be one hard batch after another."""
    assert spikes(curve(with_spike(996, 4)), 8, 9) == []


def test_the_scale_is_the_scatter():
    """A rise of four times the scatter is none for eight; the unit does not matter."""
    assert spikes(curve(with_spike(500, 20, 0.4)), 8, 9) == []
    assert len(spikes(curve(1e-9 * with_spike(500, 20)), 8, 9)) == 1


@pytest.mark.parametrize("count", [0, 1, 11, 12])
def test_few_values_have_no_spike_or_few(count):
    """Nothing to compare with: no exception."""
    assert spikes(curve(NOISE[:count]), 8, 1) == []


def test_hard_batches_that_come_together_by_chance_are_none():
    """Losses of five examples are skewed: of 10,000 such values some ten high ones stand close together."""
    noise = np.random.default_rng(0).gamma(0.3, 0.3, 10_000)
    assert spikes(curve(noise), 8.0, 9) == []
    noise[5000:5040] += 5.0
    (found,) = spikes(curve(noise), 8.0, 9)
    assert abs(found.first_step - 5000) < 9
