"""Several ranks side by side: whether they hold the same weights, and whether they come back to them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from trainhealth.series import Columns, FloatArray, IntArray, RunView, Series, empty_series

APART = 1e-3  # relative; equal weights differ by 1e-5 in a log that holds 5 digits


def weight_spread(run: RunView) -> Series:
    """Return how far the ranks' parameters are apart, at the sampled steps that all of them share.

    For each parameter, the standard deviation over ranks of its L2 norm over the mean norm; of these the mean. Two
    ranks with equal parameters have 0. Empty for one rank.
    """
    every = [rank.columns("parameter_norm") for rank in run.by_rank.values()]
    names = reduce(set[str].intersection, [set(columns.places) for columns in every]) if every else set()
    if not names:
        return empty_series("parameter_norm")
    steps = reduce(np.intersect1d, [columns.steps for columns in every])
    norms = np.stack([_norms(columns, steps, sorted(names)) for columns in every])
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        spreads = norms.std(axis=0) / norms.mean(axis=0)
    known = np.isfinite(spreads)
    counts = known.sum(axis=1)
    spread = np.where(known, spreads, 0.0).sum(axis=1) / np.maximum(counts, 1)
    return Series("parameter_norm", steps[counts > 0], spread[counts > 0])


def _norms(columns: Columns, steps: IntArray, names: Sequence[str]) -> FloatArray:
    """Return float64 [steps, names]."""
    slots = np.array([columns.places.index(name) for name in names], np.intp)
    return columns.values[np.ix_(np.searchsorted(columns.steps, steps), slots)].astype(np.float64)


def rounds(spread: Series) -> int:
    """Return how often parameters that were apart came together again: the ranks average them, every so often.

    Together is a third of the largest spread since the time before: norms waver, but a mean of many does not come to
    that by itself, and not twice.
    """
    count, largest = 0, 0.0
    for value in spread.values.tolist():
        if largest > APART and value < largest / 3:
            count, largest = count + 1, value
        largest = max(largest, value)
    return count
