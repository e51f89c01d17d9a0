"""What is marked in a chart beside its curves."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules.runs import run_views
from tests.tui.cases import CAUSE, OTHER, SYMPTOM, run, snapshot
from trainhealth.findings import Evidence
from trainhealth.series import RunView, Series
from trainhealth.testing import make_run
from trainhealth.tui.across import STEPS, Across, ruler
from trainhealth.tui.board import Board
from trainhealth.tui.chart_csv import chart_csv
from trainhealth.tui.charts import Band, Figure, Mark, draw_chart, step_under
from trainhealth.tui.curves_page import charts_of, lens_line
from trainhealth.tui.figures import accuracy_figure, loss_figure, update_ratio_figure
from trainhealth.tui.lens import Lens
from trainhealth.tui.lines import plain
from trainhealth.tui.look import Look
from trainhealth.tui.raster import Window
from trainhealth.tui.seen import DECAY, EVALUATION, seen
from trainhealth.tui.smoothing import STRONGEST, WEAKEST

VIEW = run()


def marks(figure: Figure, sign: str) -> list[float]:
    return [mark.step for mark in figure.marks if mark.sign == sign]


def with_rate(rates: dict[int, float], steps: int = 100) -> RunView:
    rate = Series("learning_rate", np.array(list(rates)), np.array(list(rates.values())))
    view = make_run([1.0] * steps)
    return dataclasses.replace(view, scalars={**view.scalars, "learning_rate": rate})


def test_the_lens_chooses_window_axis_and_cursor() -> None:
    """And what a chart says of its own axis of values stays."""
    lens = Lens(Across.TIME, log=True, window=Window(10, 20), cursor=15)
    scale = ruler(VIEW, Across.TIME)
    figure = seen(loss_figure(VIEW), VIEW, lens, scale)
    assert (figure.window, figure.ruler, figure.cursor, figure.log) == ((10, 20), scale, 15, True)
    assert seen(accuracy_figure(VIEW), VIEW, lens, scale).log is False


def test_the_selected_finding_is_a_line_and_the_others_are_signs() -> None:
    """One line through all charts: the one that somebody reads about."""
    figure = seen(loss_figure(VIEW), VIEW, Lens(), STEPS, CAUSE, (CAUSE, SYMPTOM, OTHER))
    assert [(mark.step, mark.line) for mark in figure.marks if mark.sign == "┴"] == [
        (SYMPTOM.first_step, False),
        (OTHER.first_step, False),
        (CAUSE.first_step, True),
    ]


def test_the_evidence_is_shaded_in_the_charts_that_show_it() -> None:
    """The update ratio of steps 40 to 48, and the loss at step 60."""
    assert seen(update_ratio_figure(VIEW), VIEW, Lens(), STEPS, CAUSE).bands == (Band(40, 48, "critical"),)
    assert seen(loss_figure(VIEW), VIEW, Lens(), STEPS, CAUSE).bands == (Band(60, 60, "critical"),)
    assert seen(accuracy_figure(VIEW), VIEW, Lens(), STEPS, CAUSE).bands == ()
    assert seen(loss_figure(VIEW), VIEW, Lens(), STEPS).bands == ()


def test_pieces_of_evidence_that_touch_are_one_band() -> None:
    """Three spikes, of which two follow at once."""
    spikes = [Evidence("train_loss", None, first, last, 9.0, "") for first, last in ((80, 92), (20, 49), (93, 95))]
    finding = dataclasses.replace(CAUSE, evidence=tuple(spikes))
    bands = seen(loss_figure(VIEW), VIEW, Lens(), STEPS, finding).bands
    assert [(band.first, band.last) for band in bands] == [(20, 49), (80, 95)]


def test_evaluations_are_marked_while_they_can_be_told_apart() -> None:
    """Two are two signs; two hundred would be a line."""
    assert marks(seen(accuracy_figure(VIEW), VIEW, Lens(), STEPS), EVALUATION) == [50, 100]
    often = make_run([1.0] * 200, evaluations={step: {"validation_loss": 1.0} for step in range(200)})
    assert marks(seen(loss_figure(often), often, Lens(), STEPS), EVALUATION) == []
    close = Lens(window=Window(50, 60))
    assert marks(seen(loss_figure(often), often, close, STEPS), EVALUATION) == list(range(50, 61))


def test_sudden_cuts_of_the_rate_are_marked() -> None:
    """Those that a person sets; a schedule that falls at every step is a curve in its own chart."""
    view = with_rate({0: 0.1, 30: 0.01, 60: 0.001})
    assert marks(seen(loss_figure(view), view, Lens(), STEPS), DECAY) == [30, 60]
    cosine = with_rate({step: 0.1 * (1 + np.cos(step / 32)) for step in range(100)})
    assert marks(seen(loss_figure(cosine), cosine, Lens(), STEPS), DECAY) == []
    warm = with_rate({0: 0.001, 30: 0.1})
    assert marks(seen(loss_figure(warm), warm, Lens(), STEPS), DECAY) == []


def test_marks_and_bands_can_be_seen_without_colours() -> None:
    """On the axis below: the band is a bar, and the finding's sign stands on it."""
    figure = dataclasses.replace(loss_figure(VIEW), marks=(Mark(50, "critical"),), bands=(Band(40, 60, "critical"),))
    rows = [plain(row) for row in draw_chart(figure, 60, 12, Look())]
    assert "━┴━" in rows[-2]
    assert sum("┊" in row for row in rows) > 3


def test_a_band_is_a_background_of_the_cells_that_it_covers() -> None:
    """The curves in it keep their colours."""
    figure = dataclasses.replace(loss_figure(VIEW), bands=(Band(40, 60, "critical"),))
    roles = {span.role for row in draw_chart(figure, 60, 12, Look())[1:-2] for span in row}
    assert {"@evidence", "train@evidence", "train"} <= roles
    outside = dataclasses.replace(figure, window=Window(0, 30))
    assert not any("@" in span.role for row in draw_chart(outside, 60, 12, Look()) for span in row)


@settings(max_examples=60, deadline=None)
@given(
    run_views(),
    st.sampled_from(Across),
    st.integers(WEAKEST, STRONGEST),
    st.sampled_from([None, True, False]),
    st.lists(st.sampled_from(["zoom", "pan", "move", "across", "smoother"]), max_size=5),
)
def test_any_run_can_be_seen_through_any_lens(
    view: RunView, across: Across, smoothing: int, log: bool | None, keys: list[str]
) -> None:
    """Logs hold everything, and people press everything: each chart of each signal is drawn."""
    board, shown = Board(), snapshot(view)
    board.finding = CAUSE
    board.lens = Lens(across, smoothing, log, everything=True)
    for key in keys:
        board.lens = board.changed(key, 0.5 if key == "zoom" else -1, view, 60)
    for figure_of in charts_of(shown, board).shown:
        figure = board.figure(figure_of, shown)
        assert len(draw_chart(figure, 60, 12, Look())) == 12
        chart_csv(figure)
        step_under(figure, 60, 12, Look(), 30)
    lens_line(shown, board, charts_of(shown, board), 80)
