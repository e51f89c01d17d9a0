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
