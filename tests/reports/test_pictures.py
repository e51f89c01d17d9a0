"""Figures as text: the longest bar is the largest value, curves pass through their points, nothing fails on data."""

from __future__ import annotations

import math

import pytest

from trainhealth.figures import Figure
from trainhealth.reports.pictures import HEIGHT, picture

BARS = Figure("sizes", "bars", {"value": (1.0, 4.0, 2.0)}, labels=("a", "b", "c"))
LINE = Figure("line", "curve", {"value": (0.0, 1.0, 2.0)}, x=(0.0, 1.0, 2.0), x_name="step")


def test_bars_are_as_long_as_their_values() -> None:
    """Four times the value, four times the bar."""
    lengths = [line.count("#") for line in picture(BARS, 60, ascii_only=True)]
    assert lengths[1] == max(lengths)
    assert lengths[1] == pytest.approx(4 * lengths[0], abs=2)


def test_bars_on_a_logarithmic_scale_keep_their_order() -> None:
    """Each power of ten adds the same length, and the smallest still shows."""
    figure = Figure("decades", "bars", {"value": (1e-4, 1e-2, 1.0)}, labels=("a", "b", "c"), log_y=True)
    lengths = [line.count("#") for line in picture(figure, 80, ascii_only=True)[:3]]
    assert 0 < lengths[0] < lengths[1] < lengths[2]
    assert lengths[1] - lengths[0] == pytest.approx(lengths[2] - lengths[1], abs=1)


def test_a_rising_line_rises() -> None:
    """Its highest point stands in the first row at the right, its lowest in the last at the left."""
    rows = picture(LINE, 40, ascii_only=True)
    assert rows[0].rstrip().endswith("*")
    assert rows[HEIGHT - 1].partition("|")[2].startswith("*")


def test_marks_stand_under_their_places() -> None:
    """A suggestion in the middle of a logarithmic axis is drawn in its middle."""
    figure = Figure(
        "rates", "curve", {"loss": (2.0, 1.0, 3.0)}, x=(1e-4, 1e-2, 1.0), log_x=True, marks={"suggested": 1e-2}
    )
    mark = next(line for line in picture(figure, 61, ascii_only=True) if "suggested 0.01" in line)
    assert mark.index("^") == pytest.approx(31, abs=4)


@pytest.mark.parametrize("width", [20, 40, 100])
@pytest.mark.parametrize(
    "figure",
    [
        BARS,
        LINE,
        Figure("one", "curve", {"value": (1.0,)}, x=(1.0,)),
        Figure("two", "curve", {"a": (1.0, math.nan, 3.0), "b": (1.0, math.inf, 0.0)}, x=(1.0, 2.0, 3.0), log_y=True),
        Figure("flat", "curve", {"value": (2.0, 2.0)}, x=(0.0, 1.0)),
        Figure("bad", "bars", {"value": (math.nan, math.inf, -1.0, 0.0)}, labels=("a", "b", "c", "d"), log_y=True),
        Figure("long", "bars", {"x": (1.0,), "y": (2.0,)}, labels=("encoder.layers.0.self_attention.output.dense",)),
    ],
    ids=lambda figure: figure.title,
)
def test_no_picture_is_wider_than_asked_for(figure: Figure, width: int) -> None:
    """Whatever the data; below 40 columns names and numbers stay whole."""
    for ascii_only in (True, False):
        lines = picture(figure, width, ascii_only=ascii_only)
        assert lines
        assert all(len(line) <= max(width, 60) for line in lines)


@pytest.mark.parametrize("kind", ["bars", "curve"])
def test_nothing_finite_is_nothing_to_draw(kind: str) -> None:
    """No axis can be made of NaN."""
    figure = Figure("nothing", kind, {"value": (math.nan,)}, labels=("a",), x=(1.0,))  # type: ignore[arg-type]
    assert picture(figure, 60) == []
