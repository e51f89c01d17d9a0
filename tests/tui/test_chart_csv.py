"""The numbers of a chart as CSV."""

from __future__ import annotations

import csv
import io

import numpy as np

from tests.tui.cases import run
from trainhealth.series import Series
from trainhealth.tui.across import Across, ruler
from trainhealth.tui.chart_csv import chart_csv
from trainhealth.tui.charts import Curve, Figure
from trainhealth.tui.figures import loss_figure, update_ratio_figure
from trainhealth.tui.raster import Window


def table(figure: Figure) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(chart_csv(figure))))


def test_a_row_is_a_step_and_a_column_a_curve() -> None:
    """What a curve has no value for is empty, and what is no number is what Python and pandas read as that."""
    train = Series("train_loss", np.arange(3), np.array([1.5, np.nan, np.inf]))
    validation = Series("validation_loss", np.array([2]), np.array([0.25]))
    rows = table(Figure("Loss", (Curve(train, "raw"), Curve(train, "train", derived=True), Curve(validation, "v"))))
    assert rows == [
        {"step": "0", "train_loss": "1.5", "train_loss (smoothed)": "1.5", "validation_loss": ""},
        {"step": "1", "train_loss": "nan", "train_loss (smoothed)": "nan", "validation_loss": ""},
        {"step": "2", "train_loss": "inf", "train_loss (smoothed)": "inf", "validation_loss": "0.25"},
    ]


def test_only_what_is_shown_is_kept() -> None:
    """Zoomed in, the file holds what the screen shows; over time, the seconds too."""
    view = run()
    figure = loss_figure(view)
    rows = table(Figure(figure.title, figure.curves, Window(10, 19), ruler=ruler(view, Across.TIME)))
    assert [row["step"] for row in rows] == [str(step) for step in range(10, 20)]
    assert float(rows[0]["time"]) == 0.1


def test_curves_of_one_signal_have_names_of_their_own() -> None:
    """The spread over layers is three columns."""
    header = chart_csv(update_ratio_figure(run())).splitlines()[0]
    assert header == "step,update_ratio (smallest),update_ratio (largest),update_ratio (median)"
    same = Series("x", np.arange(2), np.ones(2))
    assert chart_csv(Figure("", (Curve(same, ""), Curve(same, "")))).splitlines()[0] == "step,x,x 2"


def test_of_two_values_at_a_step_the_last_one_stands() -> None:
    """As everywhere else."""
    twice = Series("x", np.array([0, 0, 1]), np.array([1.0, 2.0, 3.0]))
    assert [row["x"] for row in table(Figure("", (Curve(twice, ""),)))] == ["2", "3"]


def test_a_chart_without_values_is_a_header() -> None:
    """No file that a program would stumble over."""
    assert chart_csv(Figure("", ())) == "step\n"
