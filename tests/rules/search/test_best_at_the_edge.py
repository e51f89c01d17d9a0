"""SE01 best-at-the-edge."""

from __future__ import annotations

import numpy as np
import pytest

from tests.search.tables import COARSE, FINE, drawn, lecture, search_from
from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.rules.base import number
from trainhealth.rules.search.best_at_the_edge import BestAtTheEdge


def found(search):
    return BestAtTheEdge().check(search, BestAtTheEdge.Options())


def test_the_lectures_first_table_has_its_best_at_the_edge():
    """Eleven trials whose best rate is the highest: the range goes on, and the decay says nothing."""
    (finding,) = found(lecture(COARSE))
    assert (finding.place, finding.severity, finding.confidence) == ("lr", Severity.WARNING, Confidence.LIKELY)
    assert "upper edge" in finding.message


def test_the_lectures_second_table_is_the_lectures_worry():
    """The best of 22 trials has 9.47e-4 in a range that ends at 1e-3: a hint, because 5.3e-4 does as well."""
    (finding,) = found(lecture(FINE))
    assert (finding.place, finding.confidence) == ("lr", Confidence.HINT)
    assert "0.531" in finding.message
    low, high = lecture(FINE).next_ranges["lr"].low, lecture(FINE).next_ranges["lr"].high
    assert low < 9.47e-4
    assert high > 2e-3
    assert finding.recommendations[0].change.to == f"{number(low)} to {number(high)}"


@pytest.mark.parametrize("seed", range(4))
def test_a_score_that_rises_to_the_end_is_found(seed):
    """At either end."""
    (upper,) = found(drawn(lambda u: 2 * u, seed=seed))
    (lower,) = found(drawn(lambda u: -2 * u, seed=seed))
    assert "upper edge" in upper.message
    assert "lower edge" in lower.message
    assert upper.severity is lower.severity is Severity.WARNING


@pytest.mark.parametrize("seed", range(8))
def test_a_peak_inside_is_silent(seed):
    """Best values in the middle, or at three quarters, are where they should be."""
    assert found(drawn(lambda u: -8 * (u - 0.5) ** 2, seed=seed)) == []
    assert found(drawn(lambda u: -8 * (u - 0.7) ** 2, 60, seed=seed)) == []


def test_an_idle_setting_is_silent():
    """The best trial lies at an end of it by chance in one search of five."""
    idle = [drawn(lambda u: -8 * (u - 0.5) ** 2, 20, seed=seed) for seed in range(12)]
    assert sum(abs(search.codes("width")[search.trials.best] - 0.5) > 0.4 for search in idle) > 0
    assert [search for search in idle if any(finding.place == "width" for finding in found(search))] == []


def test_natural_ends_are_silent():
    """No dropout below 0, no fewer than one layer."""
    random = np.random.default_rng(0)
    values = np.linspace(0, 0.5, 30)
    noise = 0.02 * random.normal(size=30)
    assert found(search_from({"dropout": values.tolist()}, -values + noise)) == []
    layers = random.integers(1, 6, 30).astype(float)
    assert found(search_from({"layers": layers.tolist()}, -layers + noise)) == []


@pytest.mark.parametrize("seed", range(4))
def test_an_end_at_which_trials_diverge_is_silent(seed):
    """The highest rates failed: beyond them is no better place, however good the rates before them are."""
    assert found(drawn(lambda u: np.where(u > 0.95, np.nan, 2 * u), seed=seed, noise=0.02)) == []


def test_too_few_trials_are_not_checked():
    """Seven trials tell nothing from chance, nor do trials that all failed."""
    assert isinstance(found(drawn(lambda u: 2 * u, 7)), NotChecked)
    assert isinstance(found(search_from({"lr": [0.1 * i for i in range(1, 20)]}, [np.nan] * 19)), NotChecked)
