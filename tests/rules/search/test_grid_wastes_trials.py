"""SE04 grid-wastes-trials."""

from __future__ import annotations

from itertools import product

import numpy as np

from tests.search.tables import drawn, search_from
from trainhealth.findings import NotChecked
from trainhealth.rules.search.grid_wastes_trials import GridWastesTrials

RATES, WIDTHS, DROPOUTS = [1e-4, 1e-3, 1e-2, 1e-1], [16.0, 32.0, 64.0], [0.0, 0.25, 0.5]


def found(search):
    return GridWastesTrials().check(search, GridWastesTrials.Options())


def grid(score, *axes, noise=0.05):
    random = np.random.default_rng(0)
    rows = list(product(*axes))
    columns = dict(zip(("lr", "width", "dropout"), map(list, zip(*rows, strict=True)), strict=False))
    return search_from(columns, [score(*row) + noise * random.normal() for row in rows])


def test_a_grid_over_idle_settings_is_found():
    """36 trials, four rates: what others had told, 32 of them repeat."""
    (finding,) = found(grid(lambda lr, width, dropout: -abs(np.log10(lr) + 2), RATES, WIDTHS, DROPOUTS))
    assert "36 trials that tried only 4 of lr" in finding.message
    assert "dropout, width show no effect" in finding.message


def test_a_grid_in_which_all_matter_is_silent():
    """Each combination says something of its own."""
    assert found(grid(lambda lr, width: -abs(np.log10(lr) + 2) + np.log2(width), RATES, [8.0, 16.0, 32.0, 64.0])) == []


def test_a_random_search_is_silent():
    """Each trial has a rate of its own, though the other setting is idle."""
    assert found(drawn(lambda u: -8 * (u - 0.5) ** 2)) == []


def test_words_alone_have_no_values_in_between():
    """A grid over optimizers and seeds of width can't be drawn finer."""
    words = ["sgd", "adam", "rmsprop", "adamw"] * 6
    random = np.random.default_rng(1)
    scores = [words.index(word) + 0.05 * random.normal() for word in words]
    assert found(search_from({"optimizer": words, "width": [float(i // 4) for i in range(24)]}, scores)) == []


def test_too_few_trials_are_not_checked():
    """Six trials say nothing of idle settings."""
    assert isinstance(found(grid(lambda lr, width: lr, RATES[:2], WIDTHS)), NotChecked)
