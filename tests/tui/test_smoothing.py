"""The smoothed curve."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainhealth.series import Series
from trainhealth.tui.smoothing import moving_average, smoothed


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
