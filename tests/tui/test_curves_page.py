"""Which charts the page of curves has, and how they are laid out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.cases import CAUSE, STATES, run, snapshot
from trainhealth.series import RunView, Series
from trainhealth.tui.across import Across
from trainhealth.tui.board import Board
from trainhealth.tui.curves_page import charts_of, layout, lens_line, missing_lines
from trainhealth.tui.lines import plain, width_of
from trainhealth.tui.raster import Window
from trainhealth.tui.snapshot import Snapshot


def titles(shown: Snapshot, board: Board) -> list[str]:
    return [board.figure(figure_of, shown).title for figure_of in charts_of(shown, board).shown]


def above(board: Board, shown: Snapshot, width: int = 100) -> str:
    return plain(lens_line(shown, board, charts_of(shown, board), width))


def test_the_usual_charts_come_first_and_those_without_values_are_named_below() -> None:
    """An empty frame would take the room of a curve, and silence would leave the reader guessing."""
    board, view = Board(), run()
    shown = snapshot(dataclasses.replace(view, columns_by_signal={}))
    assert titles(shown, board) == ["Loss", "Accuracy", "Loss gap", "Learning rate", "Gradient norm"]
    below = [plain(row) for row in missing_lines(charts_of(shown, board), "", 80)]
    assert below == ["Update ratio: no sampled step has it"]


def test_all_are_the_usual_ones_and_every_other_signal() -> None:
    """A key shows them, the same key hides them."""
    board, shown = Board(), snapshot()
    usual = titles(shown, board)
    board.lens = board.changed("everything", 0, shown.view, 60)
    assert titles(shown, board)[: len(usual)] == usual
    assert "Activation std" in titles(shown, board)
    assert len(titles(shown, board)) == charts_of(shown, board).total
    board.lens = board.changed("everything", 0, shown.view, 60)
    assert titles(shown, board) == usual


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("loss", ["Loss", "Loss gap"]),
        ("norm grad", ["Gradient norm", "Parameter gradient norm"]),
        ("validation_accuracy", ["Accuracy"]),
        ("F1", ["val/F1"]),
        ("no such thing", []),
    ],
)
def test_words_choose_among_all_charts(words: str, found: list[str]) -> None:
    """All of them must be in the title or in the name of a signal, as people write it or as the log does."""
    own = Series("val/F1", np.array([10, 90]), np.array([0.1, 0.7]))
    view = run()
    shown = snapshot(dataclasses.replace(view, scalars={**view.scalars, "val/F1": own}))
    board = Board()
    board.lens = dataclasses.replace(board.lens, words=words)
    assert titles(shown, board) == found
    says = [plain(row) for row in missing_lines(charts_of(shown, board), words, 80)]
    assert says == ([] if found else ["No chart has “no such thing” in its name."])


@given(st.integers(0, 80), st.integers(20, 300), st.integers(4, 100))
def test_charts_fill_the_screen_and_none_is_cut(charts: int, width: int, height: int) -> None:
    """Side by side they fit, and whole rows of them fit into the height."""
    made = layout(charts, width, height)
    assert made.abreast * made.width + 2 * (made.abreast - 1) <= width
    assert 3 <= made.height <= max(height, 3)
    rows = -(-max(charts, 1) // made.abreast)
    assert made.height * min(rows, max(height // made.height, 1)) > height - made.height


def test_small_and_large_terminals_have_charts_that_can_be_read() -> None:
    """80x24: one abreast; 120x40: the six usual ones at once; 200x60: three abreast."""
    assert layout(6, 78, 19) == (1, 78, 9)
    assert layout(6, 117, 34) == (2, 57, 11)
    assert layout(6, 197, 54)[0] == 3
    assert layout(1, 197, 54) == (1, 197, 54)


def test_the_line_above_says_what_the_keys_are_set_to() -> None:
    """In what unit, how smooth, how much of it, and where the cursor is."""
    board, shown = Board(), snapshot()
    assert above(board, shown) == "x by step   [ ] smooth   + - whole run   y as it fits   a 6 of 10 charts   "
    board.lens = dataclasses.replace(
        board.lens, across=Across.EPOCH, smoothing=2, log=True, window=Window(50, 75), cursor=60
    )
    text = above(board, shown, 120)
    for part in ("x by epoch", "[ ] smooth x 4", "y logarithmic", "epoch 1.00 to 1.50", "step 60 · epoch 1.20"):
        assert part in text


@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_where_the_line_is_narrow_the_cursor_stays(width: int) -> None:
    """The keys are in the help too; where the cursor stands is said nowhere else."""
    board, shown = Board(), snapshot()
    board.lens = dataclasses.replace(board.lens, cursor=60)
    line = lens_line(shown, board, charts_of(shown, board), width)
    assert plain(line).endswith("step 60")
    assert width_of(line) <= width
    assert "…" not in plain(line)


@pytest.mark.parametrize("change", ["across", "smoother", "zoom", "pan", "move", "everything", "reset"])
def test_keys_change_nothing_where_there_are_no_values(change: str) -> None:
    """And no key fails in any state of a run."""
    board = Board()
    assert board.changed(change, 1, RunView(), 60) == board.lens
    for state in STATES.values():
        board.changed(change, 1, state.view, 60)


def test_the_x_axis_goes_round() -> None:
    """Steps, epochs, time, and steps again; what is zoomed in on stays."""
    board, view = Board(), run()
    board.lens = dataclasses.replace(board.lens, window=Window(10, 30))
    seen = []
    for _ in range(3):
        board.lens = board.changed("across", 0, view, 60)
        seen.append((board.lens.across, board.lens.window))
    assert seen == [(axis, (10, 30)) for axis in (Across.EPOCH, Across.TIME, Across.STEP)]


def test_a_figure_of_the_board_has_the_selected_finding_in_it() -> None:
    """And the lens."""
    board, shown = Board(), snapshot()
    board.finding = CAUSE
    board.lens = dataclasses.replace(board.lens, cursor=7)
    figure = board.figure(charts_of(shown, board).shown[0], shown)
    assert figure.cursor == 7
    assert any(mark.step == CAUSE.first_step and mark.line for mark in figure.marks)
