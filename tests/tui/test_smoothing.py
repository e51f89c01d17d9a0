"""The smoothed curve."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainhealth.growing import GrowingSeries
from trainhealth.series import Series
from trainhealth.tui.smoothing import WEAKEST, Smoother, moving_average, smoothed, span_for


@given(st.lists(st.floats(-1e6, 1e6), max_size=300), st.floats(0.0, 0.999))
def test_the_average_is_what_a_loop_over_the_definition_gives(values: list[float], decay: float) -> None:
    """sum(decay^k v[t-k]) / sum(decay^k): the fast form has no error that anybody could see."""
    weighted = weight = 0.0
    expected = []
    for value in values:
        weighted, weight = decay * weighted + value, decay * weight + 1.0
        expected.append(weighted / weight)
    result = moving_average(np.array(values, np.float64), decay)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-6 * max(map(abs, values), default=1.0))


def test_what_is_no_number_stays_a_gap_and_changes_nothing_else() -> None:
    """The average goes over the numbers that there are."""
    values = np.linspace(1.0, 2.0, 400)
    broken = values.copy()
    broken[[5, 100]] = np.nan, np.inf
    result = smoothed(Series("x", np.arange(400), broken)).values
    assert np.isnan(result[[5, 100]]).all()
    assert np.isfinite(np.delete(result, [5, 100])).all()


def test_a_short_curve_is_left_as_it_is() -> None:
    """A few values have no noise that could be told from their shape."""
    values = np.array([3.0, 1.0, 2.0])
    np.testing.assert_array_equal(smoothed(Series("x", np.arange(3), values)).values, values)
    assert len(smoothed(Series("x", np.arange(0), np.empty(0)))) == 0


def test_a_curve_that_has_been_drawn_stays_put_while_the_run_grows() -> None:
    """The span is a power of two: within an octave of lengths the past does not move."""
    values = np.random.default_rng(0).normal(size=2000)
    long = smoothed(Series("x", np.arange(2000), values)).values
    short = smoothed(Series("x", np.arange(1600), values[:1600])).values
    np.testing.assert_allclose(long[:1600], short)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=8), st.integers(-4, 4))
def test_a_curve_that_grows_is_smoothed_as_one_that_is_given_at_once(portions: list[int], strength: int) -> None:
    """Across gaps, and across the lengths at which the span doubles."""
    values = np.random.default_rng(2).normal(size=sum(portions))
    values[:: max(len(values) // 7, 1)] = np.nan
    growing, smoother = GrowingSeries(), Smoother()
    end = 0
    for portion in portions:
        begin, end = end, end + portion
        growing.extend(np.arange(begin, end), values[begin:end])
        result = smoother.follow(growing.view("x"), strength)
    np.testing.assert_allclose(result.values, smoothed(growing.view("x"), strength).values, rtol=1e-9, atol=1e-12)


def test_a_curve_that_was_rewritten_is_smoothed_anew() -> None:
    """A resumed run replaces what it had logged from there on."""
    smoother = Smoother()
    smoother.follow(Series("x", np.arange(100), np.zeros(100)))
    other = Series("x", np.arange(100), np.ones(100))
    np.testing.assert_array_equal(smoother.follow(other).values, other.values)


def test_a_strength_more_doubles_the_span_and_the_weakest_is_the_curve_itself() -> None:
    """Each key changes what can be seen by the same factor."""
    assert [span_for(4000, strength) for strength in (-1, 0, 1, 2)] == [32, 64, 128, 256]
    assert span_for(4000, WEAKEST) == 1
    assert span_for(10, -2) == 1
