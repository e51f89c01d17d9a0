"""Which curves a run gets."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings

from tests.rules.runs import run_views
from tests.tui.cases import CAUSE, run
from trainhealth.series import Columns, RunView
from trainhealth.testing import make_run
from trainhealth.tui.charts import Figure, Mark, draw_chart
from trainhealth.tui.figures import SMALL_FIGURES, accuracy_figure, loss_figure, update_ratio_figure, window
from trainhealth.tui.heatmap import KINDS, draw_heat_map, heat_map
from trainhealth.tui.look import Look


def roles(figure: Figure) -> list[str]:
    return [curve.role for curve in figure.curves if len(curve.series)]


def test_the_raw_losses_lie_behind_the_smoothed_ones() -> None:
    """From the back to the front: raw, validation, smoothed."""
    assert roles(loss_figure(run())) == ["raw", "validation", "train"]


def test_the_beginning_of_a_finding_is_marked() -> None:
    """In every chart at the same step."""
    for figure_of in (loss_figure, *SMALL_FIGURES.values()):
        assert figure_of(run(), CAUSE).marks == (Mark(40, "critical"),)
        assert figure_of(run(), None).marks == ()


def test_all_charts_show_the_same_steps() -> None:
    """Also those of signals that came late."""
    view = run()
    assert {figure_of(view, None).shown for figure_of in (loss_figure, *SMALL_FIGURES.values())} == {window(view)}
    assert window(RunView()) is None


def test_what_the_last_epoch_logs_is_inside() -> None:
    """It stands one step beyond the last."""
    view = run()
    assert window(view) == (0, 100)
    assert view.series("validation_loss").last_step == 100


def test_a_newest_value_that_is_no_number_is_not_smoothed_away() -> None:
    """The legend tells what is, not what was."""
    figure = loss_figure(run([1.0, 1.0, float("nan")]))
    assert [np.isnan(curve.newest) for curve in figure.curves if curve.newest is not None][-1]


def test_an_accuracy_a_step_is_smoothed_and_one_an_epoch_is_marked() -> None:
    """Both stand in the same signal."""
    epochs = [{"train_accuracy": 0.1 * n} for n in range(5)]
    assert accuracy_figure(make_run([1.0] * 50, epochs=epochs)).curves[0].marker == "●"
    steps = {step: {"train_accuracy": 0.5} for step in range(50)}
    assert accuracy_figure(make_run([1.0] * 50, evaluations=steps)).curves[0].marker == ""


def test_the_update_ratio_is_the_median_of_the_weights_between_their_extremes() -> None:
    """Computed a second way; biases, NaN and infinity are left out."""
    view = run(layers=4)
    columns = view.columns("update_ratio")
    random = np.random.default_rng(0).uniform(1e-5, 1e-1, columns.values.shape).astype(np.float32)
    random[3, 0], random[4, 2] = np.nan, np.inf
    view = dataclasses.replace(
        view, columns_by_signal={"update_ratio": Columns("update_ratio", columns.steps, columns.places, random)}
    )
    weights = np.where(np.isfinite(random), random, np.nan)[:, ::2].astype(np.float64)
    low, high, middle = (curve.series.values for curve in update_ratio_figure(view).curves)
    np.testing.assert_allclose(low, np.nanmin(weights, axis=1))
    np.testing.assert_allclose(high, np.nanmax(weights, axis=1))
    np.testing.assert_allclose(middle, np.nanmedian(weights, axis=1))


@pytest.mark.parametrize("look", [Look(), Look(colour=False)])
@settings(max_examples=40, deadline=None)
@given(view=run_views())
def test_any_run_can_be_drawn(view: RunView, look: Look) -> None:
    """Logs hold everything: no values, one, NaN, the largest floats, steps in any order."""
    for figure_of in (loss_figure, *SMALL_FIGURES.values()):
        for log in (None, True):
            assert len(draw_chart(figure_of(view, CAUSE), 60, 12, look, log)) == 12
    for kind in KINDS:
        assert len(draw_heat_map(heat_map(view, kind), 60, 12, look)) == 12
