"""The next range: coarse to fine, on beyond an edge, and never past a natural bound."""

from __future__ import annotations

import numpy as np
import pytest

from tests.search.tables import drawn, search_from


@pytest.mark.parametrize("seed", range(6))
def test_the_next_range_is_narrower_and_holds_the_best(seed):
    """A peak in the middle of four decades: less than half of them, with the peak."""
    coming = drawn(lambda u: -8 * (u - 0.5) ** 2, seed=seed).next_ranges["lr"]
    assert coming.how == "log-uniform"
    assert coming.low < 1e-3 < coming.high
    assert np.log10(coming.high / coming.low) < 2


@pytest.mark.parametrize("seed", range(6))
def test_it_goes_on_beyond_an_edge(seed):
    """By half of the old range and at most a decade."""
    coming = drawn(lambda u: 2 * u, seed=seed).next_ranges["lr"]
    assert coming.because == "on beyond the upper edge"
    assert coming.high == pytest.approx(1.0)


def test_it_reaches_to_the_next_values_beside_the_best():
    """Between the best point of a coarse grid and its neighbours nothing is known."""
    rates = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1] * 4
    search = search_from({"lr": rates}, [-abs(np.log10(rate) + 3) for rate in rates])
    assert (search.next_ranges["lr"].low, search.next_ranges["lr"].high) == (1e-4, 1e-2)


def test_natural_bounds_hold():
    """A dropout stays between 0 and 1, and a number of layers whole and above 0."""
    random = np.random.default_rng(0)
    dropouts = random.uniform(0.0, 0.9, 30)
    layers = random.integers(1, 5, 30).astype(float)
    search = search_from({"dropout": dropouts.tolist(), "layers": layers.tolist()}, dropouts - layers)
    dropout, depth = search.next_ranges["dropout"], search.next_ranges["layers"]
    assert 0 <= dropout.low < dropout.high <= 1
    assert depth.how == "whole"
    assert depth.low == 1


def test_an_idle_setting_is_fixed_only_after_enough_trials():
    """With 10 trials its range stays; with 60 the best trial's value will do."""
    few = drawn(lambda u: -8 * (u - 0.5) ** 2, 10).next_ranges["width"]
    many = drawn(lambda u: -8 * (u - 0.5) ** 2, 60)
    assert few.how == "uniform"
    assert (few.low, few.high) != (None, None)
    best = many.trials.trials[many.trials.best].settings["width"]
    assert (many.next_ranges["width"].how, many.next_ranges["width"].choices) == ("fixed", (best,))


def test_words_that_are_hardly_the_best_go():
    """Of four optimizers the one that wins stays."""
    words = ["sgd", "adam", "rmsprop", "adagrad"] * 10
    random = np.random.default_rng(0)
    search = search_from({"optimizer": words}, [(word == "adam") + 0.1 * random.normal() for word in words])
    coming = search.next_ranges["optimizer"]
    assert (coming.how, coming.choices) == ("choice", ("adam",))


def test_a_zero_on_a_logarithmic_scale_stays_in_reach():
    """The lectures' decays 0, 1e-5 and 1e-4: where the smallest are best, none may be the next."""
    decays = [0.0, 1e-5, 1e-4, 1e-3] * 6
    search = search_from({"weight_decay": decays}, [-np.log10(decay + 1e-7) for decay in decays])
    assert search.next_ranges["weight_decay"].low == 0.0


def test_the_best_dependent_setting_may_be_missing():
    """Where the best trials have no momentum, its range stays whatever was tried."""
    momenta = [None, 0.5, 0.9, None] * 6
    search = search_from({"momentum": momenta}, [1.0 if momentum is None else momentum / 10 for momentum in momenta])
    assert search.next_ranges["momentum"].how == "uniform"
