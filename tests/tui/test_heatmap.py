"""Layers over time as text."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.tui.cases import CAUSE, OTHER, SYMPTOM, run
from trainhealth.records import LayerEntry
from trainhealth.series import RunView
from trainhealth.testing import make_run
from trainhealth.tui.heatmap import BROKEN, heat_map
from trainhealth.tui.heatmap_lines import draw_heat_map, lines_used, marks_of, room_for_rows, row_at
from trainhealth.tui.layer_kinds import KINDS, kind_of
from trainhealth.tui.layer_rows import Choice, arranged
from trainhealth.tui.lines import Line, plain, width_of
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.ramps import ANCHORS, LEVELS, colour

ASCII = Look(Glyphs.ASCII, colour=False)


def layered(**columns: list[list[float | None]]) -> RunView:
    """Return a run with the layers a and b; every sampled step 0, 1, … has a row of values for them."""
    count = len(next(iter(columns.values())))
    samples = {step: {name: rows[step] for name, rows in columns.items()} for step in range(count)}
    return make_run([1.0] * count, layers=[LayerEntry(name=name, type="Linear") for name in "ab"], samples=samples)


def draw(
    view: RunView, signal: str, look: Look = ASCII, width: int = 40, height: int = 4, first: int = 0
) -> list[Line]:
    return draw_heat_map(heat_map(view, kind_of(signal)), width, height, look, first)


def text(view: RunView, signal: str, **more: int) -> list[str]:
    return [plain(row) for row in draw(view, signal, **more)]  # type: ignore[arg-type]  # only numbers are passed


def test_a_row_is_a_layer_and_ends_with_its_newest_value() -> None:
    """Without colours a cell is a digit in ASCII: 0 at the lower end of the scale, 9 at the upper one."""
    assert text(layered(zero_fraction=[[0.0, 0.99], [0.99, 0.0]]), "zero_fraction") == [
        "Layers: zero share      0 001234556789 1",
        "  a 0000000000000099999999999999   0.990",
        "  b 9999999999999900000000000000       0",
        "step 0          0           1        now",
    ]


def test_with_colours_a_cell_is_a_background_and_the_number_stays() -> None:
    """A colour is never the only carrier: the newest value of every row stands beside it."""
    rows = draw(layered(zero_fraction=[[0.0, 0.99]]), "zero_fraction", Look())
    assert {span.role for span in rows[1] if not span.text.strip() and span.role} == {"inferno-0"}
    assert {span.role for span in rows[2] if not span.text.strip() and span.role} == {f"inferno-{LEVELS - 1}"}
    assert plain(rows[2]).endswith("0.990")


def test_in_ascii_the_digits_stay_where_there_are_colours() -> None:
    """Who asks for ASCII may have a screen reader."""
    view = layered(zero_fraction=[[0.0, 0.99]])
    assert draw(view, "zero_fraction", Look(Glyphs.ASCII)) == draw(view, "zero_fraction", ASCII)


@pytest.mark.parametrize("look", [Look(), Look(colour=False), ASCII])
@pytest.mark.parametrize(("width", "height"), [(80, 20), (40, 5), (20, 3), (12, 2), (1, 1), (30, 0)])
@pytest.mark.parametrize("layers", [1, 3, 300])
def test_a_heat_map_has_exactly_the_size_that_it_is_given(look: Look, width: int, height: int, layers: int) -> None:
    """From three layers to hundreds, in every size of place."""
    for kind in KINDS:
        rows = draw_heat_map(heat_map(run(layers=layers), kind), width, height, look)
        assert len(rows) == height
        assert all(width_of(row) <= width for row in rows)


def test_hundreds_of_layers_are_scrolled_and_the_axis_tells_where() -> None:
    """What is not on the screen is counted."""
    view = run(layers=300)
    rows = text(view, "activation_std", width=60, height=12, first=290)
    assert rows[1].startswith("  features.290")
    assert rows[10].startswith("  features.299")
    assert rows[11].endswith("291–300 of 300")


def test_few_layers_are_drawn_larger() -> None:
    """Three rows in a place for twelve: each is three lines high, named once."""
    rows = text(run(layers=3), "activation_std", width=60, height=13)
    assert [row.split()[0] for row in rows[1:10:3]] == ["features.0", "features.1", "features.2"]
    assert rows[2].startswith(" " * 11)


def test_a_layer_whose_numbers_broke_is_marked_and_one_without_numbers_is_empty() -> None:
    """NaN in a column may mean either: the count of elements that are no numbers decides."""
    nan = float("nan")
    view = layered(activation_std=[[1.0, 1.0], [nan, nan]], activation_nonfinite=[[0.0, 0.0], [12.0, 0.0]])
    first, second = text(view, "activation_std")[1:3]
    assert "✖" in first
    assert first.endswith("NaN")
    assert "✖" not in second


def test_a_layer_that_was_never_a_number_is_shown() -> None:
    """It broke before the first sample: that is what one wants to see."""
    nan = float("nan")
    view = layered(activation_std=[[1.0, nan]], activation_nonfinite=[[0.0, 12.0]])
    row = text(view, "activation_std")[2]
    assert row.startswith("  b ✖✖")
    assert row.endswith("NaN")


def test_infinity_has_a_mark() -> None:
    """It lies beyond every scale."""
    assert "↑" in text(layered(activation_std=[[float("inf"), 1.0]]), "activation_std")[1]


def test_a_group_of_sampled_steps_shows_its_worst_one() -> None:
    """Two thousand sampled steps in thirty cells: the one with the dead layer is seen."""
    rows = [[0.0, 0.0] for _ in range(2000)]
    rows[777] = [0.99, 0.0]
    assert "9" in text(layered(zero_fraction=rows), "zero_fraction")[1].split()[1]


def test_the_dead_fraction_stays_in_force_between_windows() -> None:
    """A window of data comes to an end only now and then."""
    view = make_run(
        [1.0] * 4,
        layers=[LayerEntry(name="a", type="relu", units=4)],
        samples={step: {"zero_fraction": [0.5]} for step in range(4)},
        dead_units={1: ["f"]},
    )
    assert text(view, "dead_fraction", width=24, height=3)[1].split() == ["a", "999999999", "1.00"]


def test_update_ratios_are_those_of_weights() -> None:
    """Biases start at zero, where every update is large; a model of biases alone shows them."""
    view = run(layers=2)
    assert heat_map(view, kind_of("update_ratio")).places == ("features.0.weight", "features.1.weight")
    flat = dataclasses.replace(view, parameters=())
    assert len(heat_map(flat, kind_of("update_ratio")).places) == 4


def test_a_signal_that_no_step_has_is_said_to_be_missing() -> None:
    """An empty picture would look like a fault."""
    assert "no sampled step has dead_fraction" in text(RunView(), "dead_fraction")[1]


def test_a_large_heat_map_says_what_the_signal_is() -> None:
    """In a sentence below the title; a small one has no room for it."""
    assert text(run(), "zero_fraction", width=90, height=14)[1].startswith(
        "  Share of output elements that are exactly zero"
    )
    assert text(run(), "zero_fraction", width=90, height=13)[1].startswith("  features.0")


def test_the_rows_that_findings_name_are_marked_and_the_selected_one_too() -> None:
    """With signs and a bar: no colour is needed to see them."""
    view = run()
    heat = heat_map(view, kind_of("update_ratio"))
    rows = draw_heat_map(heat, 60, 6, ASCII, selected=1, marks=marks_of((OTHER, CAUSE, SYMPTOM)))
    assert [plain(row)[:14] for row in rows[1:4]] == ["  ✖ …tures.0.w", "▎   …tures.1.w", "    …tures.2.w"]
    assert next(span.role for span in rows[1] if "✖" in span.text) == "critical"


def test_a_group_shows_its_worst_layer() -> None:
    """Largest where zero is best; farthest from the middle where that is; broken where one of them is."""
    zeros = heat_map(layered(zero_fraction=[[0.1, 0.9], [0.5, 0.2]]), kind_of("zero_fraction"))
    assert zeros.codes((0, 1), 2).tolist() == [max(zeros.codes((k,), 2).tolist()[at] for k in (0, 1)) for at in (0, 1)]
    assert zeros.newest((0, 1)) == pytest.approx(0.5)
    spread = heat_map(layered(activation_std=[[0.02, 2.0], [1.0, 50.0]]), kind_of("activation_std"))
    assert spread.codes((0, 1), 2).tolist() == [spread.codes((0,), 2)[0], spread.codes((1,), 2)[1]]
    nan = float("nan")
    view = layered(activation_std=[[1.0, nan]], activation_nonfinite=[[0.0, 3.0]])
    broken = heat_map(view, kind_of("activation_std"))
    assert broken.codes((0, 1), 1).tolist() == [BROKEN]
    assert np.isnan(broken.newest((0, 1)))


def test_groups_are_rows_with_the_number_of_their_layers() -> None:
    """An open one is followed by its layers."""
    heat = heat_map(run(layers=40), kind_of("parameter_gradient_norm"))
    rows = arranged(heat.places, Choice(grouped=True, opened=frozenset({"features.1"})), 50)
    drawn = [plain(row) for row in draw_heat_map(heat, 80, 12, ASCII, rows=rows)]
    assert drawn[1].startswith("  ▸ features.0 (2)")
    assert [row.split()[0] for row in drawn[3:5]] == ["features.1.weight", "features.1.bias"]
    assert drawn[2].startswith("  ▾ features.1 (2)")


def test_words_that_no_layer_has_leave_no_rows() -> None:
    """It says so, and is as large as ever."""
    heat = heat_map(run(), kind_of("update_ratio"))
    drawn = draw_heat_map(heat, 60, 8, ASCII, rows=())
    assert plain(drawn[1]) == "  no layer of this signal has these words in its name"
    assert len(drawn) == 8


@pytest.mark.parametrize("count", [1, 3, 8, 60])
@pytest.mark.parametrize("height", [6, 13, 14, 40])
def test_a_click_finds_the_row_that_is_drawn_there(count: int, height: int) -> None:
    """Rows are up to three lines high, and what the signal is takes a line on a large screen."""
    heat = heat_map(run(layers=count), kind_of("activation_std"))
    drawn = [plain(row) for row in draw_heat_map(heat, 60, height, ASCII)]
    for y, text_there in enumerate(drawn):
        found = row_at(y, height, count, 0)
        if text_there.startswith("  features."):
            assert found is not None
            assert text_there.split()[0] == f"features.{found}"
        elif y == 0 or y >= lines_used(min(count, room_for_rows(height)), height) - 1:
            assert found is None


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("ramp", ANCHORS)
def test_a_ramp_is_even(ramp: str, dark: bool) -> None:
    """Neighbouring colours differ a little, and the ends of the ramp differ much."""
    colours = np.array([colour(ramp, level, dark=dark) for level in range(LEVELS)], float)
    assert np.abs(np.diff(colours, axis=0)).max() < 60
    assert np.abs(colours[-1] - colours[0]).max() > 80
