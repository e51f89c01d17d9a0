"""The axis of values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainhealth.tui.scale import position, scale_for

ANY = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(ANY, max_size=5), st.integers(1, 40), st.sampled_from([1, 2, 4]))
def test_every_value_has_a_row_and_every_axis_has_ticks(values: list[float], rows: int, dots_a_row: int) -> None:
    """From the smallest float to the largest, whatever lies between them."""
    for log in (False, True):
        shown = [value for value in values if value > 0] if log else values
        scale = scale_for([position(value, log=log) for value in shown], rows, dots_a_row, log=log)
        assert scale.low < scale.high
        assert scale.ticks
        assert all(0 <= scale.row_of(value) < rows for value in shown)


def test_the_largest_value_is_at_the_top() -> None:
    """With a little air, so that a curve does not hide in the frame."""
    scale = scale_for([0.0, 10.0], 10, 4, log=False)
    assert (scale.row_of(10.0), scale.row_of(0.0)) == (0, 9)
    assert scale.low < 0.0 < 10.0 < scale.high


@pytest.mark.parametrize("value", [0.0, 1e-300, 3.0, -3.0, 1e300])
def test_one_value_stands_in_the_middle(value: float) -> None:
    """A constant has no range; around it there is one."""
    scale = scale_for([value], 9, 1, log=False)
    assert scale.row_of(value) == 4


def test_no_values_have_an_axis_from_0_to_1() -> None:
    """Something has to stand there."""
    assert [tick.label for tick in scale_for([], 6, 1, log=False).ticks] == ["0", "0.5", "1.0"]
