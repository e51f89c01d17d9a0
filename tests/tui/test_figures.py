"""Which curves a run gets."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

from tests.rules.runs import run_views
from tests.tui.cases import CAUSE, run
from trainhealth.series import Columns, RunView, Series
from trainhealth.testing import make_run
from trainhealth.tui.charts import Figure, Mark, draw_chart
from trainhealth.tui.figures import (
    SMALL_FIGURES,
    STANDARD_FIGURES,
    accuracy_figure,
    gap_figure,
    gradient_norm_figure,
    loss_figure,
    other_signals,
    signal_figure,
    update_ratio_figure,
    window,
)
from trainhealth.tui.heatmap import heat_map
from trainhealth.tui.heatmap_lines import draw_heat_map
from trainhealth.tui.kept import Kept
from trainhealth.tui.layer_kinds import KINDS
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
    for figure_of in STANDARD_FIGURES:
        for log in (None, True):
            assert len(draw_chart(figure_of(view, CAUSE), 60, 12, look, log)) == 12
    for kind in KINDS:
        assert len(draw_heat_map(heat_map(view, kind), 60, 12, look)) == 12


def test_the_gap_is_what_training_does_better_since_the_evaluation_before() -> None:
    """Computed a second way, evaluation by evaluation; steps that were no number do not count."""
    losses = [float(loss) for loss in np.random.default_rng(0).uniform(1, 2, 60)]
    losses[5] = float("nan")
    at = {19: 1.5, 39: 1.75, 59: 2.0}
    view = make_run(losses, evaluations={step: {"validation_loss": value} for step, value in at.items()})
    curve = gap_figure(view).curves[0].series
    parts = [np.nanmean(losses[: int(curve.steps[0]) + 1])]
    parts += [np.mean(losses[a + 1 : b + 1]) for a, b in pairwise(curve.steps.tolist())]
    np.testing.assert_allclose(curve.values, np.array(list(at.values())) - parts)


def test_the_gap_is_in_accuracy_where_that_is_logged() -> None:
    """A share of the examples says more than a difference of losses."""
    epochs = [{"train_accuracy": 0.5 + 0.1 * n, "validation_accuracy": 0.5} for n in range(4)]
    figure = gap_figure(make_run([1.0] * 40, epochs=epochs))
    assert figure.title == "Accuracy gap"
    np.testing.assert_allclose(figure.curves[0].series.values, [0.0, 0.1, 0.2, 0.3], atol=1e-9)
    assert gap_figure(make_run([1.0] * 40)).shown is None


def test_the_gradient_is_shown_before_and_after_clipping() -> None:
    """With a name for each, as soon as there are two."""
    view = run()
    assert [curve.name for curve in gradient_norm_figure(view).curves if len(curve.series)] == ["", ""]
    samples = {step: {"clipped_gradient_norm": 0.5} for step in (0, 1, 2, 4)}
    clipped = make_run([1.0] * 5, gradient_norm=[2.0] * 5, batch=samples)
    assert [curve.name for curve in gradient_norm_figure(clipped).curves] == ["", "clipped", "before"]


def test_a_gradient_that_nothing_clips_is_one_curve() -> None:
    """The norm before the update is logged whether or not the script clips; a second curve would say that it does."""
    samples = {step: {"clipped_gradient_norm": 2.0} for step in (0, 1, 2, 4)}
    view = make_run([1.0] * 5, gradient_norm=[2.0] * 5, batch=samples)
    named = [curve.name for curve in gradient_norm_figure(view).curves if len(curve.series)]
    assert "clipped" not in named
    assert "before" not in named


def test_every_signal_of_the_log_has_a_chart() -> None:
    """Those of layers with the median between the extremes, those of people's own by their own names."""
    view = run()
    own = Series("val/F1", np.array([10, 90]), np.array([0.1, 0.7]))
    view = dataclasses.replace(view, scalars={**view.scalars, "val/F1": own})
    names = other_signals(view)
    assert names == ["batch_size", "activation_std", "zero_fraction", "parameter_gradient_norm", "val/F1"]
    figures = [signal_figure(name, view, Kept()) for name in names]
    assert [figure.title for figure in figures] == [
        "Batch size",
        "Activation std",
        "Zero fraction",
        "Parameter gradient norm",
        "val/F1",
    ]
    low, high, median = (curve.series.values[0] for curve in figures[1].curves)
    assert (low, median, high) == (1.0, 2.0, 3.0)
    assert figures[-1].curves[0].marker


def test_a_kept_run_is_drawn_as_one_that_is_drawn_for_the_first_time() -> None:
    """What was kept of half of the run is completed, not mixed up."""
    half, whole, kept = run([2.0, 1.0] * 25), run([2.0, 1.0] * 50), Kept()
    for figure_of in STANDARD_FIGURES:
        figure_of(half, None, kept, 0)
        fresh, grown = (draw_chart(figure_of(whole, None, store, 0), 80, 14, Look()) for store in (Kept(), kept))
        assert fresh == grown
