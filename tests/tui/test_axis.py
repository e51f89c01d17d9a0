"""Ticks stand at nice numbers, inside the axis, at least two of them."""

from __future__ import annotations

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from trainhealth.tui.axis import linear_ticks, log_ticks, step_ticks


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12), st.integers(2, 12))
def test_linear_ticks_lie_inside_and_tell_a_scale(low: float, span: float, most: int) -> None:
    """One tick alone would tell no scale; too many would not fit."""
    high = low + span
    assume(high - low > 1e-9 * max(abs(low), abs(high)))
    ticks = linear_ticks(low, high, most)
    assert 2 <= len(ticks) <= 3 * most + 2
    slack = 1e-6 * (high - low)
    assert all(low - slack <= tick.position <= high + slack for tick in ticks)


@given(st.floats(-300, 300), st.floats(0.01, 600), st.integers(2, 12))
def test_log_ticks_lie_inside(low: float, span: float, most: int) -> None:
    """Whole powers of ten where there are several, finer ones within two decades."""
    high = min(low + span, 305.0)
    ticks = log_ticks(low, high, most)
    assert len(ticks) <= 4 * most
    assert all(low - 1e-6 <= tick.position <= high + 1e-6 for tick in ticks)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 300))
def test_steps_are_labelled_at_whole_steps(first: int, length: int, columns: int) -> None:
    """Their labels have room: about one in twelve columns, and two where there are fewer."""
    ticks = step_ticks(first, first + length, columns)
    assert len(ticks) <= max(columns // 12, 2) + 2
    assert all(first <= tick.position <= first + length and tick.position == int(tick.position) for tick in ticks)


@given(st.integers(0, 10**9), st.integers(2, 10**9), st.integers(20, 300))
def test_no_two_steps_of_an_axis_read_alike(first: int, length: int, columns: int) -> None:
    """Also of a chart that is zoomed in on the last hundred of a million steps; and there are two to tell a scale."""
    labels = [tick.label for tick in step_ticks(first, first + length, columns)]
    assert len(set(labels)) == len(labels) >= 2


def test_labels_tell_neighbours_apart() -> None:
    """Decimals follow the distance between ticks, and powers of ten are short."""
    assert [tick.label for tick in linear_ticks(0.09, 0.11, 3)] == ["0.09", "0.10", "0.11"]
    assert [tick.label for tick in linear_ticks(0, 3e7, 3)] == ["0", "1e7", "2e7", "3e7"]
    assert [tick.label for tick in log_ticks(math.log10(1.2e-7), math.log10(4e-3), 5)] == [
        "1e-6",
        "1e-5",
        "1e-4",
        "0.001",
    ]
