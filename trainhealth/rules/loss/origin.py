"""Where non-finite numbers came from: the first place of a training step that had them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from trainhealth.rules.optimizers import all_adaptive, largest
from trainhealth.series import Columns, RunView, Series

_SMALLEST_HALF = 6e-8  # of the numbers above 0 in float16


class Stage(IntEnum):
    """What a training step computes, in this order."""

    INPUT = 0
    ACTIVATION = 1
    LOSS = 2
    GRADIENT = 3
    PARAMETER = 4


@dataclass(frozen=True, slots=True)
class Origin:
    """The first non-finite number that is on record: when, in which stage, where, and which signal says so."""

    step: int
    stage: Stage
    signal: str
    place: str | None
    observed: float  # the value itself, or how many elements were not finite


def find_origin(run: RunView, onset: int, last_finite: int) -> Origin:
    """Return where the numbers first were not finite, for a train_loss that is not finite from step `onset` on.

    `last_finite` is the last step before with a finite loss (-1 for none). What was not finite while the loss was
    finite did not reach it (masks of minus infinity, NaN that marks missing inputs, gradients that were thrown away):
    only what happened since can be the origin. Inputs are not made by the model, so they come first, even where they
    were only sampled later.
    """
    loss = run.series("train_loss").between(onset, onset)
    events = [Origin(onset, Stage.LOSS, "train_loss", None, float(loss.values[-1]) if len(loss) else float("nan"))]
    for signal, stage in (("input_nonfinite", Stage.INPUT), ("activation_nonfinite", Stage.ACTIVATION)):
        events += _sampled(run.columns(signal), signal, stage, onset)
    # a step computes gradients and parameters after its loss: those of the last finite step spoil the next one
    for signal, stage in (("gradient_nonfinite", Stage.GRADIENT), ("parameter_nonfinite", Stage.PARAMETER)):
        events += _sampled(run.columns(signal), signal, stage, max(last_finite, 0))
    norms = without(run.series("gradient_norm"), run.skipped_steps).between(max(last_finite, 0), run.last_step)
    bad = np.flatnonzero(~np.isfinite(norms.values))
    if len(bad):
        value = float(norms.values[bad[0]])
        events.append(Origin(int(norms.steps[bad[0]]), Stage.GRADIENT, "gradient_norm", None, value))
    inputs = [event for event in events if event.stage is Stage.INPUT]
    return min(inputs or events, key=lambda event: (event.step, event.stage, event.place is None))


def _sampled(columns: Columns, signal: str, stage: Stage, first_step: int) -> list[Origin]:
    """Return the first sampled step from `first_step` on with a count, and the first place there; none: empty.

    A place that had counts before `first_step` had them while the loss was finite: it is left out.
    """
    if not len(columns):
        return []
    counts = np.nan_to_num(columns.values, nan=0.0)
    before = columns.steps < first_step
    counts = np.where(counts[before].any(axis=0), 0.0, counts)
    rows = np.flatnonzero(counts.any(axis=1) & ~before)
    if not len(rows):
        return []
    row = int(rows[0])
    index = int(np.flatnonzero(counts[row])[0])
    place = "input" if stage is Stage.INPUT else columns.places[index]
    return [Origin(int(columns.steps[row]), stage, signal, place, float(counts[row, index]))]


def epsilon_vanished(run: RunView) -> bool:
    """Tell whether the first step of an adaptive optimizer spoilt the weights, though their gradients were finite.

    It moves a weight by about the rate, whatever the gradient is: only 0 / 0 can spoil it, where a gradient of 0 meets
    an epsilon that the weights' type has no number for.
    """
    gradients, parameters = run.columns("gradient_nonfinite"), run.columns("parameter_nonfinite")
    if not all_adaptive(run) or not 0 < largest(run, "eps") < _SMALLEST_HALF:
        return False
    if not len(gradients) or not len(parameters) or gradients.steps[0] != 0 or parameters.steps[0] != 0:
        return False
    return not (gradients.values[0] > 0).any() and bool((parameters.values[0] > 0).any())


def without(series: Series, skipped_steps: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Series:
    """Return the series without the steps that a loss scaler skipped: their numbers changed nothing."""
    keep = ~np.isin(series.steps, skipped_steps)
    return Series(series.name, series.steps[keep], series.values[keep])
