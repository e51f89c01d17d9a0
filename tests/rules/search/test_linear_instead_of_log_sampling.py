"""SE02 linear-instead-of-log-sampling."""

from __future__ import annotations

import numpy as np
import pytest

from tests.search.tables import search_from
from trainhealth.findings import Confidence, NotChecked
from trainhealth.rules.search.linear_instead_of_log_sampling import LinearInsteadOfLogSampling
from trainhealth.search.trials import Space


def found(values, name="lr", space=None):
    search = search_from({name: list(values)}, range(len(values)), spaces={name: space} if space else None)
    return LinearInsteadOfLogSampling().check(search, LinearInsteadOfLogSampling.Options())


def uniform(low, high, count=40, seed=0):
    return np.random.default_rng(seed).uniform(low, high, count)


def test_uniform_draws_of_a_rate_are_found():
    """Over four decades, nearly all trials lie in the last one, and the finding says so."""
    (finding,) = found(uniform(1e-5, 1e-1))
    assert (finding.place, finding.confidence) == ("lr", Confidence.LIKELY)
    assert "88 % of its values lie in the uppermost of 2.5 decades" in finding.message


def test_a_declared_uniform_distribution_is_certain():
    """An Optuna study holds what it drew from."""
    (finding,) = found(uniform(1e-3, 1e-1, 10), space=Space(1e-5, 1e-1, False))
    assert finding.confidence is Confidence.CERTAIN
    assert found(uniform(1e-3, 1e-1, 10), space=Space(1e-5, 1e-1, True)) == []


@pytest.mark.parametrize("seed", range(30))
def test_log_uniform_draws_are_silent(seed):
    """Few or many, over one decade and a half or four."""
    random = np.random.default_rng(seed)
    assert found(10 ** random.uniform(-5, -1, 40)) == []
    assert found(10 ** random.uniform(-2.5, -1, 12)) == []


def test_a_narrow_range_is_silent():
    """Within a factor of ten the scale makes little difference."""
    assert found(uniform(0.01, 0.1)) == []


def test_settings_that_act_by_their_difference_are_silent():
    """A dropout is drawn uniformly, and so is a number of units."""
    assert found(uniform(0.001, 0.5), "dropout") == []
    assert found(np.round(uniform(8, 1024)), "units") == []


def test_few_values_are_silent():
    """A grid of factors of ten is no uniform draw, nor are seven values."""
    assert found([1e-4, 1e-3, 1e-2, 1e-1] * 5) == []
    assert found(uniform(1e-5, 1e-1, 7)) == []


def test_a_search_without_settings_is_not_checked():
    """Nothing was varied."""
    assert isinstance(found([0.1] * 20), NotChecked)
