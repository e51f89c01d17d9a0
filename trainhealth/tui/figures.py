"""The charts of a run: which signals they show, and what to say where the log holds none of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trainhealth.findings import Finding
from trainhealth.series import FloatArray, RunView, Series
from trainhealth.tui.charts import Curve, Figure, Guide, Mark
from trainhealth.tui.raster import Window
from trainhealth.tui.smoothing import smoothed

USUAL_UPDATE_RATIO = 1e-3  # Tr1: "about 1e-3" is a healthy ratio of update to parameter


def loss_figure(view: RunView, finding: Finding | None = None) -> Figure:
    """Return the losses; a line marks the step at which `finding` began."""
    raw, smooth = _noisy(view.series("train_loss"), "train")
    curves = (raw, _evaluated(view.series("validation_loss"), "validation"), smooth)
    return Figure("Loss", curves, window(view), missing="no loss yet", marks=_marks(finding))


def accuracy_figure(view: RunView, finding: Finding | None = None) -> Figure:
    """Return the accuracies: that of training a step where it is logged so, else an epoch."""
    train, validation = view.series("train_accuracy"), view.series("validation_accuracy")
    few = len(train) <= 2 * len(view.epochs)
    behind, *front = (_evaluated(train, "train"),) if few else _noisy(train, "train")
    curves = (behind, _evaluated(validation, "validation"), *front)
    missing = "not logged: pass validation_accuracy= to watch.epoch"
    return Figure("Accuracy", curves, window(view), missing=missing, log=False, marks=_marks(finding))


def learning_rate_figure(view: RunView, finding: Finding | None = None) -> Figure:
    """Return the learning rate in force."""
    rate = view.learning_rate
    curve = Curve(rate, "train", newest=_newest(rate))
    missing = "not logged: pass the optimizer to watch"
    return Figure("Learning rate", (curve,), window(view), missing=missing, marks=_marks(finding))


def update_ratio_figure(view: RunView, finding: Finding | None = None) -> Figure:
    """Return the median update ratio of the weights between its extremes, against the usual one.

    Biases and scales (one-dimensional parameters) are left out: they start near zero, where any update is large.
    """
    columns = view.columns("update_ratio")
    weights = {entry.name for entry in view.parameters if len(entry.shape) >= 2}
    chosen = [index for index, place in enumerate(columns.places) if place in weights]
    values = columns.values[:, chosen].astype(np.float64)
    known = np.isfinite(values).any(axis=1) if chosen else np.zeros(len(columns), bool)
    steps, (low, middle, high) = columns.steps[known], _spread(values[known])
    median = Series("update_ratio", steps, middle)
    curves = (
        Curve(Series("update_ratio", steps, low), "raw", ascii_glyph="."),
        Curve(Series("update_ratio", steps, high), "raw", ascii_glyph="."),
        Curve(median, "train", "median", newest=_newest(median)),
    )
    guides = (Guide(USUAL_UPDATE_RATIO, "usual"),) if len(steps) else ()
    missing = "no sampled step has it yet"
    return Figure("Update ratio", curves, window(view), missing, log=True, guides=guides, marks=_marks(finding))


def gradient_norm_figure(view: RunView, finding: Finding | None = None) -> Figure:
    """Return the norm of the whole gradient, before clipping."""
    curves = _noisy(view.series("gradient_norm"), "train", named=False)
    return Figure("Gradient norm", curves, window(view), missing="not logged", marks=_marks(finding))


SMALL_FIGURES: dict[str, Callable[[RunView, Finding | None], Figure]] = {
    "accuracy": accuracy_figure,
    "learning-rate": learning_rate_figure,
    "update-ratio": update_ratio_figure,
    "gradient-norm": gradient_norm_figure,
}


def _spread(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the smallest, the median and the largest finite value of each row; every row has one.

    (numpy's nanpercentile takes a hundred times as long.)
    """
    if not len(values):
        return np.empty(0), np.empty(0), np.empty(0)
    ordered = np.sort(np.where(np.isfinite(values), values, np.nan), axis=1)  # NaN goes to the end
    counts, rows = np.isfinite(ordered).sum(axis=1), np.arange(len(ordered))
    middle = (ordered[rows, (counts - 1) // 2] + ordered[rows, counts // 2]) / 2
    return ordered[:, 0], middle, ordered[rows, counts - 1]


def window(view: RunView) -> Window | None:
    """Return the steps that all charts of a run show: what stands above one another happened at the same time.

    What an epoch logs stands at the number of steps that are finished then, one beyond the last step.
    """
    present = [series for series in view.scalars.values() if len(series)]
    if not present:
        return None
    first = min(int(series.steps[0]) for series in present)
    return Window(first, max(*(series.last_step for series in present), first + 1))


def _marks(finding: Finding | None) -> tuple[Mark, ...]:
    if finding is None:
        return ()
    return (Mark(finding.first_step, str(finding.severity)),)


def _noisy(series: Series, role: str, *, named: bool = True) -> tuple[Curve, Curve]:
    """Return a series with a value a step: raw behind, smoothed in front."""
    smooth = smoothed(series)
    newest = _newest(series)
    if newest is not None and np.isfinite(newest):
        newest = _newest(smooth)
    front = Curve(smooth, role, role if named else "", newest, derived=True)
    return Curve(series, "raw", ascii_glyph="."), front


def _evaluated(series: Series, role: str) -> Curve:
    """Return a series with a value an epoch or evaluation, each of them marked."""
    marker, ascii_glyph = ("●", "*") if role == "train" else ("◆", "o")
    return Curve(series, role, role, _newest(series), ascii_glyph, marker)


def _newest(series: Series) -> float | None:
    return float(series.values[-1]) if len(series) else None
