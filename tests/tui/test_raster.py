"""Series -> dots."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainhealth.series import Series
from trainhealth.tui.across import Across, Ruler
from trainhealth.tui.look import Glyphs
from trainhealth.tui.pyramid import Pyramid
from trainhealth.tui.raster import DOTS, Column, Grid, Window, code_points, fill, reduce, to_cells


def series(values: list[float], first: int = 0) -> Series:
    return Series("x", np.arange(first, first + len(values)), np.array(values, np.float64))


def reduced(series: Series, window: Window, columns: int, *, log: bool = False, holds: float | None = None) -> Column:
    return reduce(series, Pyramid(series), Grid(window, columns), log=log, holds=holds)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=400), st.integers(2, 60))
def test_no_value_is_hidden(values: list[float], columns: int) -> None:
    """A spike of one step among thousands is inside what its column of dots spans."""
    column = reduced(series(values), Window(0, len(values) - 1), columns)
    width = max(len(values) - 1, 1) / (columns - 1)
    for step, value in enumerate(values):
        near = range(max(int(step / width) - 1, 0), min(int(step / width) + 3, columns))
        assert any(column.low[k] <= value <= column.high[k] for k in near if not np.isnan(column.low[k]))


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=40), st.integers(10, 80))
def test_neighbours_are_connected(values: list[float], columns: int) -> None:
    """Between the first and the last value there is no empty column, and neighbours' spans touch."""
    column = reduced(series(values), Window(0, len(values) - 1), columns)
    assert np.isfinite(column.low).all()
    assert (column.low[1:] <= column.high[:-1] + 1e-9).all()
    assert (column.high[1:] >= column.low[:-1] - 1e-9).all()


def test_nan_leaves_a_gap_and_infinity_is_told_apart() -> None:
    """The columns of what is no number are reported, and no line runs through them."""
    values = [1.0] * 30
    values[10:20] = [np.nan] * 10
    values[25] = np.inf
    values[27] = -np.inf
    column = reduced(series(values), Window(0, 29), 30)
    assert column.nan.tolist() == list(range(10, 20))
    assert column.above.tolist() == [25]
    assert column.below.tolist() == [27]
    assert np.isnan(column.low[11:19]).all()


def test_a_logarithmic_axis_reports_what_has_no_logarithm() -> None:
    """Zero and negative values lie below every power of ten: a mark at the lower edge, not silence."""
    column = reduced(series([0.01, 0.0, -3.0, 100.0]), Window(0, 3), 4, log=True)
    assert column.below.tolist() == [1, 2]
    assert column.low[0] == pytest.approx(-2)
    assert column.high[3] == pytest.approx(2)


def test_only_the_window_is_drawn() -> None:
    """Zooming is a matter of the window."""
    column = reduced(series([9.0, *[1.0] * 8, 9.0]), Window(1, 8), 8)
    assert column.high.max() == 1.0


def test_a_curve_comes_in_from_outside_the_window() -> None:
    """Two evaluations, one before and one behind what is shown: the line between them is there."""
    far = Series("x", np.array([0, 100]), np.array([0.0, 100.0]))
    column = reduced(far, Window(40, 60), 20)
    assert np.isfinite(column.low).all()
    assert (column.low[0], column.high[-1]) == (pytest.approx(40.0), pytest.approx(60.0))


def test_a_value_that_holds_is_a_stair_up_to_the_end() -> None:
    """A rate is logged when it changes: between, it has not changed, and after the last change neither."""
    rate = Series("x", np.array([0, 50]), np.array([1.0, 0.1]))
    column = reduced(rate, Window(0, 100), 101, holds=100)
    assert (column.low[:50] == 1.0).all()
    assert (column.low[50], column.high[50]) == (0.1, 1.0)
    assert (column.high[51:] == 0.1).all()
    assert np.isnan(reduced(rate, Window(0, 100), 101, holds=70).low[75:]).all()


def test_over_time_a_value_stands_when_it_was_logged() -> None:
    """The second half of the steps took a tenth of the time: it is a tenth of the chart."""
    scale = Ruler(Across.TIME, np.array([0, 50, 100]), np.array([0.0, 90.0, 100.0]))
    values = series([1.0] * 50 + [2.0] * 51)
    column = reduce(values, Pyramid(values), Grid(Window(0, 100), 101, scale))
    assert (column.high[:88] == 1.0).all()
    assert (column.low[92:] == 2.0).all()


@given(st.integers(0, 1000), st.integers(2, 400), st.integers(2, 200), st.data())
def test_a_step_is_found_again_in_its_column(first: int, length: int, columns: int, data: st.DataObject) -> None:
    """The step under the pointer is that of the column it is drawn in, to half a column."""
    grid = Grid(Window(first, first + length), columns)
    column = data.draw(st.integers(0, columns - 1))
    assert grid.column(grid.step(column)) == column


@pytest.mark.parametrize("glyphs", list(Glyphs))
def test_dots_become_the_glyphs_that_look_like_them(glyphs: Glyphs) -> None:
    """The dot at the lower left of one cell, in each alphabet."""
    across, down = DOTS[glyphs]
    dots = np.zeros((down, 2 * across), bool)
    dots[-1, 0] = True
    text = "".join(map(chr, code_points(to_cells(dots, glyphs), glyphs, "*")[0]))
    assert text == {Glyphs.BRAILLE: "⡀ ", Glyphs.BLOCK: "▖ ", Glyphs.ASCII: "* "}[glyphs]


def test_values_fill_the_rows_that_they_span() -> None:
    """The top row is the highest value."""
    ends, nothing = np.array([0.0, 3.0]), np.empty(0, np.int64)
    dots = fill(Column(ends, ends, nothing, nothing, nothing), 0.0, 3.0, 4)
    assert dots.tolist() == [[False, True], [False, False], [False, False], [True, False]]
