"""The charts of a run: which signals they show, and what to say where the log holds none of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from trainhealth.findings import Finding
from trainhealth.series import Columns, RunView, Series, empty_series
from trainhealth.signals import SIGNALS
from trainhealth.tui.charts import Curve, Figure, Guide, Mark
from trainhealth.tui.kept import Kept
from trainhealth.tui.raster import Window

USUAL_UPDATE_RATIO = 1e-3  # Tr1: "about 1e-3" is a healthy ratio of update to parameter

FigureOf: TypeAlias = Callable[..., Figure]


def loss_figure(view: RunView, finding: Finding | None = None, kept: Kept | None = None, smoothing: int = 0) -> Figure:
    """Return the losses; a line marks the step at which `finding` began."""
    kept = kept or Kept()
    raw, smooth = _noisy(view.series("train_loss"), "train", kept, smoothing)
    curves = (raw, _evaluated(view.series("validation_loss"), "validation", kept), smooth)
    return Figure("Loss", curves, window(view), missing="no loss logged", marks=_marks(finding))


def accuracy_figure(
    view: RunView, finding: Finding | None = None, kept: Kept | None = None, smoothing: int = 0
) -> Figure:
    """Return the accuracies: that of training a step where it is logged so, else an epoch."""
    kept = kept or Kept()
    train, validation = view.series("train_accuracy"), view.series("validation_accuracy")
    few = len(train) <= 2 * len(view.epochs)
    behind, *front = (_evaluated(train, "train", kept),) if few else _noisy(train, "train", kept, smoothing)
    curves = (behind, _evaluated(validation, "validation", kept), *front)
    missing = "not logged: pass validation_accuracy= to watch.epoch"
    return Figure("Accuracy", curves, window(view), missing=missing, log=False, marks=_marks(finding))


def gap_figure(view: RunView, finding: Finding | None = None, kept: Kept | None = None, smoothing: int = 0) -> Figure:
    """Return by how much training does better than validation: in accuracy or, where that is not logged, in loss.

    Training's part is the mean of its values since the evaluation before, whatever the smoothing.
    """
    kept = kept or Kept()
    gap = _gap(view.series("train_accuracy"), view.series("validation_accuracy"), 1.0)
    title, name = "Accuracy gap", "train - validation"
    if not len(gap):
        gap = _gap(view.series("train_loss"), view.series("validation_loss"), -1.0)
        title, name = "Loss gap", "validation - train"
    curve = Curve(gap, "train", name, _newest(gap), marker="●", kept=kept.pyramid("gap", gap))
    guides = (Guide(0.0, "no gap"),) if len(gap) else ()
    missing = "not logged: it takes the same measure of training and validation"
    return Figure(title, (curve,), window(view), missing, log=False, guides=guides, marks=_marks(finding))


def learning_rate_figure(
    view: RunView, finding: Finding | None = None, kept: Kept | None = None, smoothing: int = 0
) -> Figure:
    """Return the learning rate in force, whatever the smoothing: it is logged when it changes."""
    rate = view.series("learning_rate")
    pyramid = (kept or Kept()).pyramid("learning_rate", rate)
    curve = Curve(rate, "train", newest=_newest(rate), holds=True, kept=pyramid)
    missing = "not logged: pass the optimizer to watch"
    return Figure("Learning rate", (curve,), window(view), missing, marks=_marks(finding), last_step=view.last_step)


def update_ratio_figure(
    view: RunView, finding: Finding | None = None, kept: Kept | None = None, smoothing: int = 0
) -> Figure:
    """Return the median update ratio of the weights between its extremes, against the usual one.

    Biases and scales (one-dimensional parameters) are left out: they start near zero, where any update is large.
    """
    columns = view.columns("update_ratio")
    weights = {entry.name for entry in view.parameters if len(entry.shape) >= 2}
    chosen = tuple(index for index, place in enumerate(columns.places) if place in weights)
    curves = _middle(columns, chosen, kept or Kept())
    guides = (Guide(USUAL_UPDATE_RATIO, "usual"),) if len(curves[0].series) else ()
    missing = "no sampled step has it"
    return Figure("Update ratio", curves, window(view), missing, log=True, guides=guides, marks=_marks(finding))


def gradient_norm_figure(
    view: RunView, finding: Finding | None = None, kept: Kept | None = None, smoothing: int = 0
) -> Figure:
    """Return the norm of the whole gradient, before clipping and, on sampled steps, after it, where that is another."""
    kept = kept or Kept()
    norm, clipped = view.series("gradient_norm"), view.series("clipped_gradient_norm")
    if _same_where_both_are(norm, clipped):  # nothing clips
        clipped = view.series("")
    raw, smooth = _noisy(norm, "train", kept, smoothing, "before" if len(clipped) else "")
    pyramid = kept.pyramid("clipped_gradient_norm", clipped)
    after = Curve(clipped, "validation", "clipped", _newest(clipped), "o", kept=pyramid)
    return Figure("Gradient norm", (raw, after, smooth), window(view), missing="not logged", marks=_marks(finding))


def _same_where_both_are(one: Series, other: Series) -> bool:
    _, here, there = np.intersect1d(one.steps, other.steps, return_indices=True)
    return len(here) > 0 and np.allclose(one.values[here], other.values[there], rtol=1e-3, atol=0, equal_nan=True)


SMALL_FIGURES: dict[str, FigureOf] = {
    "accuracy": accuracy_figure,
    "learning-rate": learning_rate_figure,
    "update-ratio": update_ratio_figure,
    "gradient-norm": gradient_norm_figure,
}

STANDARD_FIGURES: tuple[FigureOf, ...] = (
    loss_figure,
    accuracy_figure,
    gap_figure,
    learning_rate_figure,
    gradient_norm_figure,
    update_ratio_figure,
)

_LOGGED_WHEN_CHANGED = ("learning_rate", "batch_size")

_IN_STANDARD = frozenset(
    (
        *("train_loss", "validation_loss", "train_accuracy", "validation_accuracy"),
        *("learning_rate", "gradient_norm", "clipped_gradient_norm", "update_ratio"),
    )
)


def other_signals(view: RunView) -> list[str]:
    """Return the signals that the standard charts do not show, those of our own list in its order, then the others."""
    present = {
        *(name for name, series in view.scalars.items() if len(series)),
        *(name for name, columns in view.columns_by_signal.items() if len(columns)),
    } - _IN_STANDARD
    return [*(name for name in SIGNALS if name in present), *sorted(present - SIGNALS.keys())]


def signal_figure(name: str, view: RunView, kept: Kept, smoothing: int = 0) -> Figure:
    """Return the chart of any signal; that of layers and parameters shows the median between the extremes."""
    title = name.replace("_", " ").capitalize() if name in SIGNALS else name
    columns = view.columns(name)
    if len(columns) and columns.table != "batch":
        curves = _middle(columns, tuple(range(len(columns.places))), kept)
        return Figure(title, curves, window(view), missing="no value logged")
    series = view.series(name)
    if name in _LOGGED_WHEN_CHANGED:
        curve = Curve(series, "train", newest=_newest(series), holds=True, kept=kept.pyramid(name, series))
        return Figure(title, (curve,), window(view), missing="no value logged", last_step=view.last_step)
    few = len(series) <= max(2 * len(view.epochs), 1)
    drawn = (_evaluated(series, "", kept),) if few else _noisy(series, "train", kept, smoothing, "")
    return Figure(title, drawn, window(view), missing="no value logged")


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


def _middle(columns: Columns, chosen: tuple[int, ...], kept: Kept) -> tuple[Curve, Curve, Curve]:
    """Return the median over places in front of the smallest and the largest value."""
    low, middle, high = kept.middle(columns, chosen)
    keys = [f"{columns.signal} {part}" for part in ("lowest", "median", "highest")]
    return (
        Curve(low, "raw", "smallest", ascii_glyph=".", kept=kept.pyramid(keys[0], low)),
        Curve(high, "raw", "largest", ascii_glyph=".", kept=kept.pyramid(keys[2], high)),
        Curve(middle, "train", "median", _newest(middle), kept=kept.pyramid(keys[1], middle)),
    )


def _noisy(series: Series, role: str, kept: Kept, smoothing: int, name: str | None = None) -> tuple[Curve, Curve]:
    """Return a series with a value a step: raw behind, smoothed in front."""
    smooth = kept.smoothed(series.name, series, smoothing)
    newest = _newest(series)
    if newest is not None and np.isfinite(newest):
        newest = _newest(smooth)
    raw = Curve(series, "raw", ascii_glyph=".", kept=kept.pyramid(series.name, series))
    blocks = kept.pyramid(f"{series.name} smoothed", smooth)
    return raw, Curve(smooth, role, role if name is None else name, newest, derived=True, kept=blocks)


def _evaluated(series: Series, name: str, kept: Kept) -> Curve:
    """Return a series with a value an epoch or evaluation, each of them marked."""
    role = name or "train"
    marker, ascii_glyph = ("●", "*") if role == "train" else ("◆", "o")
    pyramid = kept.pyramid(series.name, series)
    return Curve(series, role, name, _newest(series), ascii_glyph, marker, kept=pyramid)


def _gap(train: Series, validation: Series, sign: float) -> Series:
    """Return `sign` times (train - validation) at each evaluation that has finite values on both sides."""
    if not len(train) or not len(validation):
        return empty_series("gap")
    ends = np.searchsorted(train.steps, validation.steps, side="right")
    starts = np.concatenate([[0], ends[:-1]])
    finite = np.isfinite(train.values)
    values = train.values if finite.all() else np.where(finite, train.values, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):  # a sum beyond the largest float has no mean: it is left out
        sums, counts = (np.add.reduceat(np.append(part, 0.0), starts) for part in (values, finite.astype(np.float64)))
        # reduceat sums to the next start: the last part ends at its own evaluation, not at the end of the run
        last = slice(starts[-1], ends[-1])
        sums[-1], counts[-1] = values[last].sum(), finite[last].sum()
        means = np.where((ends > starts) & (counts > 0), sums, np.nan) / np.maximum(counts, 1)
        gap = sign * (means - validation.values)
    keep = np.isfinite(gap)
    return Series("gap", validation.steps[keep], gap[keep])


def _newest(series: Series) -> float | None:
    return float(series.values[-1]) if len(series) else None
