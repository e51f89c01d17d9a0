"""Signals with one value a sampled step: their present and their usual level."""

from __future__ import annotations

import math

import numpy as np

from trainhealth.series import RunView

LATEST = 3  # samples whose median is the present state: one batch may be unusual


def latest(run: RunView, name: str) -> float:
    """Return the median of the last three finite values; NaN where there are none."""
    return _median(run, name, slice(-LATEST, None))


def usual(run: RunView, name: str) -> float:
    """Return the median of all finite values; NaN where there are none."""
    return _median(run, name, slice(None))


def usual_batch_size(run: RunView) -> float:
    """Return the batch size that most steps have, and NaN where it is not logged.

    It is written where it changes: of batches of 64 with one of 3 at the end of each epoch as often as of the 3.
    """
    sizes = run.series("batch_size").finite()
    if not len(sizes):
        return math.nan
    held = np.maximum(np.diff(sizes.steps, append=max(run.last_step, sizes.last_step) + 1), 0)  # steps may go back
    order = np.argsort(sizes.values)
    return float(sizes.values[order][np.searchsorted(np.cumsum(held[order]), held.sum() / 2)])


def examples_an_epoch(run: RunView) -> float:
    """Return how many examples the model usually sees between two ends of epochs; NaN where that is not known."""
    ends = [epoch.step for epoch in run.epochs]
    return float(np.median(np.diff(ends))) * usual_batch_size(run) if len(ends) > 1 else math.nan


def samples_of(run: RunView, name: str) -> int:
    """Return how many finite values there are."""
    return len(run.series(name).finite())


def examples_in(run: RunView, name: str) -> int:
    """Return how many examples went into the values of a signal; 0 where the batch size is not logged."""
    sizes, steps = run.series("batch_size"), run.series(name).steps
    return int(sum(size for step in steps if math.isfinite(size := sizes.at(int(step)))))


def _median(run: RunView, name: str, part: slice) -> float:
    values = run.series(name).finite().values[part]
    return float(np.median(values)) if len(values) else math.nan
