"""Charts as text."""

from __future__ import annotations

import numpy as np
import pytest

from trainhealth.series import Series
from trainhealth.tui.charts import Curve, Figure, Guide, Mark, draw_chart, step_under
from trainhealth.tui.lines import plain, width_of
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.raster import Window

BLOCK, ASCII = Look(Glyphs.BLOCK), Look(Glyphs.ASCII)


def series(*values: float) -> Series:
    return Series("x", np.arange(len(values)), np.array(values, np.float64))


def figure(*values: float, **more: object) -> Figure:
    return Figure("Loss", (Curve(series(*values), "train", "train", values[-1] if values else None),), **more)  # type: ignore[arg-type]  # the tests' own keywords


def text(figure: Figure, width: int = 30, height: int = 8, look: Look = BLOCK, log: bool | None = None) -> list[str]:
    return [plain(row) for row in draw_chart(figure, width, height, look, log)]


def test_a_chart_is_a_title_a_plot_and_two_axes() -> None:
    """The picture, once as a whole."""
    assert text(figure(0.0, 1.0, 2.0, 3.0, 4.0), 24, 8) == [
        "Loss  ━ train 4",
        "    4┤               ▄▄▛",
        "     │           ▄▄▛▀▘  ",
        "    2┤      ▗▄▟▀▀▘      ",
        "     │  ▗▄▟▀▀           ",
        "    0┤▟▀▀               ",
        "     └┬────────┬───────┬",
        " step 0        2       4",
    ]


@pytest.mark.parametrize("look", [Look(), BLOCK, ASCII])
@pytest.mark.parametrize(("width", "height"), [(80, 20), (40, 8), (20, 5), (16, 3), (10, 4), (1, 1), (80, 0)])
@pytest.mark.parametrize(
    "values", [(), (1.0,), (2.0, 2.0), (np.nan,), (np.inf, -np.inf), (1e308, -1e308), (0.0, 1e-320)]
)
def test_a_chart_has_exactly_the_size_that_it_is_given(
    look: Look, width: int, height: int, values: tuple[float, ...]
) -> None:
    """Whatever the values are, and however small the place."""
    for log in (None, True, False):
        rows = draw_chart(figure(*values), width, height, look, log)
        assert len(rows) == height
        assert all(width_of(row) <= width for row in rows)


def test_nan_is_a_gap_and_a_mark_on_the_axis_of_steps() -> None:
    """The most important number of a sick run is the one that is no number."""
    rows = text(figure(1.0, 2.0, np.nan, np.nan, 3.0), 30, 8)
    assert rows[-2].count("✖") == 2
    critical = [
        span for row in draw_chart(figure(1.0, np.nan), 30, 8, BLOCK) for span in row if span.role == "critical"
    ]
    assert {span.text.strip() for span in critical} == {"✖", "NaN"}


def test_infinity_is_a_mark_at_the_edge_that_it_lies_beyond() -> None:
    """It is outside every axis, and still on the screen."""
    rows = text(figure(1.0, np.inf, -np.inf, 2.0), 30, 8)
    assert rows[1].count("↑") == 1
    assert rows[-3].count("↓") == 1


def test_the_axis_is_logarithmic_where_the_values_ask_for_it() -> None:
    """Two powers of ten, all positive; the user's choice comes before that."""
    assert text(figure(1.0, 1000.0))[0].endswith("log")
    assert "log" not in text(figure(1.0, 50.0))[0]
    assert "log" not in text(figure(-1.0, 1000.0))[0]
    assert "log" not in text(figure(1.0, 1000.0), log=False)[0]
    assert text(figure(1.0, 2.0), log=True)[0].endswith("log")


def test_a_guide_and_a_mark_lie_behind_the_curve() -> None:
    """A value to compare with is a horizontal line, a step to find again a vertical one."""
    rows = text(figure(1.0, 1.0, 1.0, guides=(Guide(2.0, "usual"),), marks=(Mark(1, "critical"),)), 40, 8)
    assert "┄ usual" in rows[0]
    assert "┄" in rows[1]
    assert all("┊" in row for row in rows[2:5])
    assert "┴" in rows[-2]


def test_markers_stand_at_the_values_while_there_is_room() -> None:
    """Five evaluations are five marks; five hundred are a line."""
    few = Figure("Loss", (Curve(series(1.0, 2.0, 1.0, 2.0, 1.0), "validation", marker="◆"),))
    many = Figure("Loss", (Curve(series(*[1.0, 2.0] * 250), "validation", marker="◆"),))
    assert "".join(text(few)).count("◆") == 5
    assert "".join(text(many)).count("◆") == 0


def test_curves_are_told_apart_without_colours() -> None:
    """In ASCII every curve has a glyph of its own, and the legend shows it."""
    curves = (
        Curve(series(1.0, 3.0, 1.0), "raw", ascii_glyph="."),
        Curve(series(2.0, 2.0, 2.0), "train", "train", 2.0, ascii_glyph="*"),
    )
    rows = [ASCII.text(row) for row in text(Figure("Loss", curves), look=ASCII)]
    assert rows[0].startswith("Loss  * train 2")
    assert all(row.isascii() for row in rows)
    assert {".", "*"} <= set("".join(rows[1:-2]))


def test_a_narrow_legend_keeps_the_values_and_drops_the_names() -> None:
    """What the curve is, its glyph and colour say too; the newest value stands nowhere else."""
    curves = (
        Curve(series(1.0), "train", "train", 0.25),
        Curve(series(1.0), "validation", "validation", 0.5, marker="◆"),
    )
    assert text(Figure("Accuracy", curves), 60)[0].strip() == "Accuracy  ━ train 0.25  ◆ validation 0.5"
    assert text(Figure("Accuracy", curves), 30)[0].strip() == "Accuracy  ━ 0.25  ◆ 0.5"


def test_a_chart_without_values_says_what_would_fill_it() -> None:
    """An empty frame would leave the reader guessing."""
    assert text(figure(missing="not logged: pass x"), 40, 4) == ["Loss", "  not logged: pass x", "", ""]


def test_a_curve_of_one_value_has_a_readable_axis() -> None:
    """What single precision rounds differently is the same value, and a change in the seventh digit is none of that."""
    flat = Series("x", np.arange(3), np.array([1e-3, np.float32(1e-3), 1e-3], np.float64))
    labels = [row.partition("┤")[0] for row in text(Figure("U", (Curve(flat, "train"),)), log=True) if "┤" in row]
    assert labels
    assert max(map(len, labels)) <= 8
    slow = text(figure(2.302576, 2.302420, 2.302500), 40, 10)
    assert any("2.3025" in row for row in slow)


def test_charts_with_the_same_window_have_the_same_steps() -> None:
    """What stands above one another happened at the same time, also where a signal came late."""
    late = Series("x", np.array([50, 100]), np.array([1.0, 2.0]))
    rows = text(Figure("Loss", (Curve(late, "train"),), Window(0, 100)), 40, 8)
    assert rows[-1].split()[1] == "0"
    assert rows[-1].split()[-1] == "100"


def test_the_legend_has_the_values_at_the_cursor() -> None:
    """Of all curves at one step: what is drawn, what lies raw behind it, and nothing before a curve begins."""
    late = Series("v", np.array([3]), np.array([7.0]))
    curves = (
        Curve(series(10.0, 30.0, 20.0, 40.0), "raw"),
        Curve(late, "validation", "validation", 7.0, marker="◆"),
        Curve(series(1.0, 3.0, 2.0, 4.0), "train", "train", 4.0, derived=True),
    )
    at = {step: text(Figure("Loss", curves, cursor=step), 70)[0] for step in (1, 3)}
    assert at[1].strip() == "Loss  ━ train 3  ◆ validation –  raw 30"
    assert at[3].strip() == "Loss  ━ train 4  ◆ validation 7  raw 40"


def test_the_cursor_is_a_line_in_every_row() -> None:
    """Behind the curve; outside of what is shown there is none."""
    assert ["│" in row[7:] for row in text(figure(1.0, 1.0, 1.0, cursor=1), 40, 8)[1:-2]] == [
        True,
        True,
        False,
        True,
        True,
    ]
    outside = Figure("Loss", (Curve(series(1.0, 2.0, 3.0, 4.0), "train"),), Window(0, 1), cursor=3)
    assert not any("│" in row[7:] for row in text(outside, 40, 8)[1:])


def test_the_step_under_the_pointer_is_the_one_that_is_drawn_there() -> None:
    """The markers of five evaluations stand where the pointer finds their steps; beside the plot there is no step."""
    chart = Figure("Loss", (Curve(series(1.0, 2.0, 1.0, 2.0, 1.0), "validation", marker="◆"),))
    rows = text(chart, 60, 8)
    found = {step_under(chart, 60, 8, BLOCK, row.index("◆")) for row in rows[1:-2] if "◆" in row}
    assert found <= {0, 1, 2, 3, 4}
    assert step_under(chart, 60, 8, BLOCK, 0) is None
    assert step_under(chart, 60, 8, BLOCK, 59) == 4
    assert step_under(Figure("Loss", ()), 60, 8, BLOCK, 30) is None


def test_what_is_not_shown_does_not_stretch_the_axis() -> None:
    """Zoomed in past a spike, the small changes fill the chart."""
    values = [1000.0, *np.linspace(1.0, 2.0, 50)]
    rows = text(Figure("Loss", (Curve(series(*values), "train"),), Window(1, 50), log=False), 40, 10)
    assert "1000" not in "".join(rows)
    assert rows[1].startswith("    2┤")
