"""SE03 too-coarse."""

from __future__ import annotations

import math

import numpy as np

from tests.search.tables import drawn, search_from
from trainhealth.findings import NotChecked
from trainhealth.rules.search.too_coarse import TooCoarse


def found(search):
    return TooCoarse().check(search, TooCoarse.Options())


def grid(score, values, repeats=5, noise=0.05, name="lr"):
    random = np.random.default_rng(0)
    tried = [value for value in values for _ in range(repeats)]
    scores = [score(math.log10(value)) + noise * random.normal() for value in tried]
    return search_from({name: tried, "width": random.random(len(tried)).tolist()}, scores)


def test_a_ridge_between_the_points_of_a_grid_is_found():
    """A rate of 1e-3 is good, 1e-4 and 1e-2 are bad: what lies between is not known."""
    (finding,) = found(grid(lambda x: -abs(x + 3), [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]))
    assert finding.place == "lr"
    assert "0.0001 and 0.01" in finding.message
    coming = grid(lambda x: -abs(x + 3), [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]).next_ranges["lr"]
    assert (coming.low, coming.high) == (1e-4, 1e-2)


def test_a_broad_hill_is_silent():
    """Where a neighbour is as good, the grid is fine enough."""
    assert found(grid(lambda x: -max(abs(x + 3.5) - 0.6, 0), [1e-5, 1e-4, 1e-3, 1e-2, 1e-1])) == []


def test_a_fine_grid_is_silent():
    """Values in factors of three leave no room for a surprise."""
    assert found(grid(lambda x: -abs(x + 3), [1e-4, 3e-4, 1e-3, 3e-3, 1e-2])) == []


def test_a_best_value_at_the_end_is_another_rules():
    """There is nothing beyond it to be too far away."""
    assert found(grid(lambda x: x, [1e-5, 1e-4, 1e-3, 1e-2])) == []


def test_random_searches_are_silent():
    """They leave no gaps of a decade where the best is."""
    assert [seed for seed in range(8) if found(drawn(lambda u: -8 * (u - 0.5) ** 2, seed=seed))] == []


def test_too_few_trials_are_not_checked():
    """Five trials can't tell a ridge from luck."""
    assert isinstance(found(grid(lambda x: -abs(x + 3), [1e-5, 1e-4, 1e-3, 1e-2, 1e-1], repeats=1)), NotChecked)
