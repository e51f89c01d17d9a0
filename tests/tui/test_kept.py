"""What is kept from snapshot to snapshot is what a fresh computation gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainhealth.growing import GrowingColumns, GrowingSeries
from trainhealth.series import Columns
from trainhealth.tui.kept import Kept, spread

VALUES = np.random.default_rng(1).normal(size=(60, 5)).astype(np.float32)
VALUES[7], VALUES[9, 2], VALUES[11, :4] = np.nan, np.inf, np.nan


@given(st.lists(st.integers(1, 20), max_size=6))
def test_medians_of_a_table_that_grows_are_those_of_the_whole(portions: list[int]) -> None:
    """Row by row or many at once; a row without a finite value is left out."""
    table, kept = GrowingColumns("layers", tuple("abcde")), Kept()
    end = 0
    for portion in portions:
        begin, end = end, min(end + portion, len(VALUES))
        if begin < end:
            table.write(begin, VALUES[begin:end])
        parts = kept.middle(table.view("x", np.arange(end)), (0, 1, 2, 3, 4))
        known = np.isfinite(VALUES[:end]).any(axis=1)
        for part, whole in zip(parts, spread(VALUES[:end][known].astype(np.float64)), strict=True):
            np.testing.assert_array_equal(part.values, whole)
            np.testing.assert_array_equal(part.steps, np.flatnonzero(known))


def test_other_places_are_other_medians() -> None:
    """A layer that comes late moves the columns: nothing of before may stay."""
    kept = Kept()
    before = Columns("x", np.arange(3), ("a", "b"), np.ones((3, 2), np.float32))
    after = Columns("x", np.arange(4), ("a", "new", "b"), np.full((4, 3), 2.0, np.float32))
    kept.middle(before, (0, 1))
    assert kept.middle(after, (0, 2))[1].values.tolist() == [2.0] * 4
    assert kept.middle(after, (1,))[1].values.tolist() == [2.0] * 4


def test_a_new_value_costs_one_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of a million steps is not smoothed again for each of them."""
    smoothed: list[int] = []
    from trainhealth.tui import smoothing

    average = smoothing.moving_average
    monkeypatch.setattr(
        smoothing, "moving_average", lambda values, *more: (smoothed.append(len(values)), average(values, *more))[1]
    )
    growing, kept = GrowingSeries(), Kept()
    growing.extend(np.arange(5000), np.ones(5000))
    kept.smoothed("x", growing.view("x"), 0)
    growing.extend(np.arange(5000, 5010), np.ones(10))
    kept.smoothed("x", growing.view("x"), 0)
    assert smoothed == [5000, 10]
