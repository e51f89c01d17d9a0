"""What ranges of a long series span."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainhealth.growing import GrowingSeries
from trainhealth.series import FloatArray, Series
from trainhealth.tui.pyramid import ABOVE, BELOW, NAN, NOT_POSITIVE, Flags, Pyramid

LENGTH = 20_000  # four levels
VALUES = np.random.default_rng(0).normal(size=LENGTH)
VALUES[[17, 4097]] = np.nan
VALUES[9000:9700] = np.inf
VALUES[12345] = -np.inf


def series(values: FloatArray) -> Series:
    return Series("x", np.arange(len(values)), np.asarray(values, np.float64))


def naive(values: FloatArray) -> tuple[float, float, float, int]:
    """The same, value by value."""
    finite = values[np.isfinite(values)]
    positive = finite[finite > 0]
    flags = NAN * np.isnan(values).any() | ABOVE * (values == np.inf).any() | BELOW * (values == -np.inf).any()
    flags |= NOT_POSITIVE * (finite <= 0).any()
    return (
        float(finite.min(initial=np.inf)),
        float(finite.max(initial=-np.inf)),
        float(positive.min(initial=np.inf)),
        int(flags),
    )


@given(st.lists(st.tuples(st.integers(0, LENGTH), st.integers(0, LENGTH)), min_size=1, max_size=20))
def test_every_range_is_answered_exactly(ranges: list[tuple[int, int]]) -> None:
    """Whatever blocks it begins and ends in: what it spans, and whether it holds what is no number."""
    starts, ends = np.array([sorted(pair) for pair in ranges]).T
    spans = Pyramid(series(VALUES)).spans(starts, ends)
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        low, high, positive, flags = naive(VALUES[start:end])
        assert (spans.low[number], spans.high[number], spans.positive[number]) == (low, high, positive)
        assert spans.flags[number] == flags


@given(st.lists(st.integers(1, 3000), max_size=12))
def test_a_series_that_grows_is_answered_as_one_that_is_given_at_once(portions: list[int]) -> None:
    """In whatever portions it grows, a value at a time or over several blocks."""
    growing, pyramid = GrowingSeries(), Pyramid()
    end = 0
    for portion in portions:
        begin, end = end, min(end + portion, LENGTH)
        growing.extend(np.arange(begin, end), VALUES[begin:end])
        pyramid.follow(growing.view("x"))
        assert pyramid.whole().low[0] == naive(VALUES[:end])[0]
        assert pyramid.whole(end // 3).high[0] == naive(VALUES[end // 3 : end])[1]


def test_another_series_is_taken_as_another() -> None:
    """A run that was resumed at an earlier step has other values from there on; its blocks are made anew."""
    pyramid = Pyramid(series(np.zeros(1000)))
    resumed = np.zeros(1200)
    resumed[500:] = 7.0
    pyramid.follow(series(resumed))
    assert pyramid.whole().high[0] == 7.0
    pyramid.follow(series(np.full(100, -1.0)))
    assert pyramid.whole().high[0] == -1.0


def test_an_earlier_state_leaves_the_blocks_of_the_later_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay goes back and forth; what has been reduced once is not reduced again."""
    whole = series(VALUES)
    pyramid = Pyramid(whole)
    early = Series("x", whole.steps[:5000], whole.values[:5000])
    monkeypatch.setattr(Pyramid, "_grow", lambda _: pytest.fail("the blocks are there"))
    pyramid.follow(early)
    assert pyramid.whole(0, len(early)).low[0] == naive(VALUES[:5000])[0]


def test_only_what_is_new_is_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step more of a run of a million steps must not cost a million."""
    growing, pyramid = GrowingSeries(), Pyramid()
    growing.extend(np.arange(LENGTH), VALUES)
    pyramid.follow(growing.view("x"))
    reduced: list[int] = []
    add = Pyramid._add

    def counted(self: Pyramid, depth: int, rows: FloatArray, flags: Flags) -> None:
        reduced.append(len(flags))
        add(self, depth, rows, flags)

    monkeypatch.setattr(Pyramid, "_add", counted)
    growing.extend(np.arange(LENGTH, LENGTH + 40), np.ones(40))
    pyramid.follow(growing.view("x"))
    assert 0 < sum(reduced) < 100
