"""The charts of a run: which signals they show, and what to say where the log holds none of them."""

from __future__ import annotations

import numpy as np

from trainhealth.findings import Finding
from trainhealth.series import RunView, Series
from trainhealth.tui.amounts import figure
from trainhealth.tui.charts import Curve, Figure, Guide, Mark
from trainhealth.tui.signs import sign
from trainhealth.tui.smoothing import smoothed

USUAL_UPDATE_RATIO = 1e-3  # Tr1: "about 1e-3" is a healthy ratio of update to parameter


def loss_figure(view: RunView, findings: tuple[Finding, ...]) -> Figure:
    """Return the losses, with a sign on the axis where each finding began."""
    marks = tuple(Mark(f.first_step, sign(f.severity), str(f.severity)) for f in reversed(findings))
    return Figure(
        "Loss",
        (*_noisy(view.series("train_loss"), "train"), _evaluated(view.series("validation_loss"), "validation")),
        missing="no loss yet",
        marks=marks,
    )


def accuracy_figure(view: RunView) -> Figure:
    """Return the accuracies: that of training a step where it is logged so, else an epoch."""
    train = view.series("train_accuracy")
    few = len(train) <= 2 * len(view.epochs)
    curves = (_evaluated(train, "train"),) if few else _noisy(train, "train")
    missing = "not logged: pass validation_accuracy= to watch.epoch"
    return Figure("Accuracy", (*curves, _evaluated(view.series("validation_accuracy"), "validation")), missing=missing)


def learning_rate_figure(view: RunView) -> Figure:
    """Return the learning rate in force."""
    rate = view.learning_rate
    curve = Curve(rate, "train", figure(float(rate.values[-1])) if len(rate) else "")
    return Figure("Learning rate", (curve,), missing="not logged: pass the optimizer to watch")


def update_ratio_figure(view: RunView) -> Figure:
    """Return the median update ratio of the weights between its extremes, against the usual one.

    Biases and scales (one-dimensional parameters) are left out: they start near zero, where any update is large.
    """
    columns = view.columns("update_ratio")
    weights = {entry.name for entry in view.parameters if len(entry.shape) >= 2}
    chosen = [index for index, place in enumerate(columns.places) if place in weights]
    values = columns.values[:, chosen].astype(np.float64)
    known = np.isfinite(values).any(axis=1) if chosen else np.zeros(len(columns), bool)
    steps, values = columns.steps[known], values[known]
    values = np.where(np.isfinite(values), values, np.nan)
    low, middle, high = np.nanpercentile(values, [0, 50, 100], axis=1) if len(values) else np.empty((3, 0))
    legend = f"median {figure(float(middle[-1]))}" if len(middle) else ""
    curves = (
        Curve(Series("update_ratio", steps, low), "raw", ascii_glyph="."),
        Curve(Series("update_ratio", steps, high), "raw", ascii_glyph="."),
        Curve(Series("update_ratio", steps, middle), "train", legend),
    )
    guides = (Guide(USUAL_UPDATE_RATIO, "usual"),) if len(steps) else ()
    return Figure("Update ratio", curves, missing="no sampled step has it yet", log=True, guides=guides)


def gradient_norm_figure(view: RunView) -> Figure:
    """Return the norm of the whole gradient, before clipping."""
    return Figure("Gradient norm", _noisy(view.series("gradient_norm"), "train", ""), missing="not logged")


def _noisy(series: Series, role: str, name: str | None = None) -> tuple[Curve, ...]:
    """Return a series with a value a step: raw behind, smoothed in front."""
    smooth = smoothed(series)
    newest = float(series.values[-1]) if len(series) else np.nan
    shown = float(smooth.values[-1]) if np.isfinite(newest) else newest
    label = role if name is None else name
    legend = f"{label} {figure(shown)}".strip() if len(series) else ""
    return Curve(series, "raw", ascii_glyph="."), Curve(smooth, role, legend, derived=True)


def _evaluated(series: Series, role: str) -> Curve:
    """Return a series with a value an epoch or evaluation, each of them marked."""
    legend = f"{role} {figure(float(series.values[-1]))}" if len(series) else ""
    return Curve(series, role, legend, ascii_glyph="o", markers=True)
