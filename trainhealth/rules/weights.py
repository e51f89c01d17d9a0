"""The weights among a model's parameters: what biases and gains, small or zero at their start, must not blur."""

from __future__ import annotations

import math

import numpy as np

from trainhealth.series import Columns, FloatArray, RunView

_DRAWN = 0.01  # relative difference of norms: a first update may lie before the first sample


def of_weights(run: RunView, signal: str) -> Columns:
    """Return a signal of parameters for the weights that are trained only: those of two or more dimensions.

    A model without such weights is judged by all parameters that are trained.
    """
    columns = run.columns(signal)
    trained = {entry.name: len(entry.shape) for entry in run.parameters if entry.trainable and entry.optimized}
    chosen = [i for i, place in enumerate(columns.places) if trained.get(place, 0) >= 2]
    chosen = chosen or [i for i, place in enumerate(columns.places) if place in trained]
    places = tuple(columns.places[i] for i in chosen)
    return Columns(signal, columns.steps, places, columns.values[:, chosen])


def growth(run: RunView) -> float:
    """Return by what factor the norms of the weights have grown since the first sample (median); NaN if unknown."""
    norms = of_weights(run, "parameter_norm")
    if not len(norms):
        return math.nan
    first, last = norms.values[0].astype(np.float64), norms.latest()
    return _median_ratio(last, first)


def leap(run: RunView, within: int) -> float:
    """Return the largest factor by which the weights' norms grew from a sample to the next one (median over weights).

    Only of samples that are at most `within` steps apart; NaN where there are none.
    """
    norms = of_weights(run, "parameter_norm")
    near = np.flatnonzero(np.diff(norms.steps) <= within)
    values = norms.values.astype(np.float64)
    return max((_median_ratio(values[i + 1], values[i]) for i in near), default=math.nan)


def relative_gradient(run: RunView, last_step: int) -> float:
    """Return norm of gradient / norm of weight, the median over weights and the samples up to `last_step`.

    NaN where it is unknown.
    """
    gradients, norms = of_weights(run, "parameter_gradient_norm"), of_weights(run, "parameter_norm")
    if gradients.places != norms.places or not np.array_equal(gradients.steps, norms.steps):
        return math.nan
    early = gradients.steps <= last_step
    return _median_ratio(gradients.values[early].astype(np.float64), norms.values[early].astype(np.float64))


def typical_weight(run: RunView) -> float:
    """Return the root mean square of a weight's elements at the first sample (median); NaN if unknown."""
    norms = of_weights(run, "parameter_norm")
    if not len(norms):
        return math.nan
    sizes = {entry.name: math.prod(entry.shape) for entry in run.parameters}
    roots = np.sqrt(np.array([max(sizes[place], 1) for place in norms.places], np.float64))
    return _median_ratio(norms.values[0].astype(np.float64), roots)


def start_size(run: RunView) -> float:
    """Return the size of the weights at the first sample as a share of Xavier's (median); NaN if unknown.

    Xavier's std is 1 / sqrt(fan_in), so that the norm is the root of the number of units, the first axis.
    """
    norms = of_weights(run, "parameter_norm")
    if not len(norms):
        return math.nan
    units = {entry.name: entry.shape[0] if entry.shape else 1 for entry in run.parameters}
    roots = np.sqrt(np.array([max(units[place], 1) for place in norms.places], np.float64))
    return _median_ratio(norms.values[0].astype(np.float64), roots)


def trained_before(run: RunView) -> bool:
    """Tell whether a gain of a normalisation layer is not 1 at the first sample, as it is in fresh models.

    Gains are parameters of one dimension that are called weight; a model without them may have been trained, too.
    """
    norms = run.columns("parameter_norm")
    gains = {entry.name: entry.shape[0] for entry in run.parameters if len(entry.shape) == 1}
    chosen = [i for i, place in enumerate(norms.places) if place.endswith("weight") and gains.get(place)]
    if not len(norms) or not chosen:
        return False
    first = norms.values[0, chosen].astype(np.float64)
    fresh = np.sqrt(np.array([gains[norms.places[i]] for i in chosen], np.float64))
    return bool((np.abs(first / fresh - 1) > _DRAWN).any())


def _median_ratio(above: FloatArray, below: FloatArray) -> float:
    known = (below > 0) & np.isfinite(below) & np.isfinite(above)
    return float(np.median(above[known] / below[known])) if known.any() else math.nan
