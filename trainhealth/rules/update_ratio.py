"""The update ratio of a model as a whole, on which the rules about the learning rate rest."""

from __future__ import annotations

import numpy as np

from trainhealth.rules.optimizers import all_adaptive
from trainhealth.rules.weights import of_weights, typical_weight
from trainhealth.series import RunView, Series

GOOD = 1e-3  # Tr1 and Opt: "you want this to be somewhere around 0.001"
BEARABLE = 1e-2  # the same slides: "about okay"
SMALL = 2e-4  # house choice: a fifth of `GOOD`
USUAL_RATE = 0.3  # house choice: Opt tries 1e-1 to 1e-4


def model_update_ratio(run: RunView) -> Series:
    """Return the median update ratio over the weights that are trained, a value a sampled step."""
    columns = of_weights(run, "update_ratio")
    sampled = ~np.isnan(columns.values).all(axis=1)
    medians = np.nanmedian(columns.values[sampled].astype(np.float64), axis=1)
    return Series("update_ratio", columns.steps[sampled], medians)


def explains_standstill(run: RunView, ratio: float, rate: float, at_most: float = SMALL) -> bool:
    """Tell whether weights that hardly move, by `ratio` a step, do so because of `rate`, and not of the gradient.

    So it is where a usual rate would bring the ratio to `GOOD`: one that is usual for the loss itself, where the script
    multiplies it with a factor (`loss / 32`) that plain gradient descent feels. Adaptive optimizers move every element
    by about the rate, whatever the gradient: a ratio far below rate / rms of the weights means that the gradient has
    vanished beneath their epsilon.
    """
    if not 0 < ratio <= at_most or not rate * GOOD / ratio * min(loss_factor(run), 1.0) <= USUAL_RATE:
        return False
    fixed = all_adaptive(run) and all(optimizer.type != "Adadelta" for optimizer in run.info.optimizers)
    return not (fixed and ratio < 0.1 * rate / typical_weight(run))


def loss_factor(run: RunView) -> float:
    """Return what the script multiplies its loss with, as far as it is known and changes the steps; else 1."""
    factor = run.facts.get("loss_factor")
    return float(factor) if isinstance(factor, int | float) and factor > 0 and not all_adaptive(run) else 1.0


def rate_for(ratio: float, rate: float, *, goal: float, at_most: float) -> float:
    """Return the rate on the grid 1, 3, 10, … that brings the update ratio from `ratio` to about `goal`.

    The factor is bounded by `at_most` in either direction: a ratio measured in a wreck says little about health.

    >>> rate_for(0.2, 0.5, goal=1e-3, at_most=1000), rate_for(50.0, 1.0, goal=1e-3, at_most=1000)
    (0.003, 0.001)
    """
    factor = min(max(goal / ratio, 1 / at_most), at_most) if ratio > 0 else at_most
    return on_grid(rate * factor)


def on_grid(value: float) -> float:
    """Return the number of the form 1 or 3 times a power of ten that is nearest on the logarithmic scale.

    >>> on_grid(0.0025), on_grid(0.5), on_grid(0.6), on_grid(9e-5)
    (0.003, 0.3, 1.0, 0.0001)
    """
    if not 0 < value < float("inf"):
        return value
    exponent = int(np.floor(np.log10(value)))
    candidates = [float(f"{digit}e{exponent + shift}") for shift in (0, 1) for digit in (1, 3)]
    return min(candidates, key=lambda candidate: abs(float(np.log(candidate / value))) if candidate > 0 else np.inf)
