"""Several ranks side by side: whether they hold the same weights, and whether they come back to them."""

from __future__ import annotations

from functools import reduce

import numpy as np

from trainhealth.series import RunView, Series, empty_series

APART = 1e-3  # relative; equal weights differ by 1e-5 in a log that holds 5 digits
_RETURNED = 1 / 3  # of the largest spread so far: norms waver, but do not come together by themselves


def weight_spread(run: RunView) -> Series:
    """Return how far the ranks' weights are apart, at the sampled steps that all of them share.

    For each parameter of two and more dimensions, the standard deviation over ranks of its L2 norm over the mean norm;
    of these the mean. Two ranks with equal weights have 0. Empty for one rank.
    """
    weights = {entry.name for entry in run.parameters if len(entry.shape) > 1}
    every = [rank.columns("parameter_norm") for rank in run.by_rank.values()]
    names = [name for name in every[0].places if name in weights] if every else []
    if not names or any(name not in columns.places for columns in every for name in names):
        return empty_series("parameter_norm")
    steps = reduce(np.intersect1d, [columns.steps for columns in every])
    norms = np.stack(
        [
            columns.values[np.ix_(np.searchsorted(columns.steps, steps), [columns.places.index(n) for n in names])]
            for columns in every
        ]
    ).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        spread = np.nanmean(norms.std(axis=0) / np.abs(norms.mean(axis=0)), axis=1) if len(steps) else np.empty(0)
    known = np.isfinite(spread)
    return Series("parameter_norm", steps[known], spread[known])


def comes_together(spread: Series) -> bool:
    """Tell whether weights that were apart came together again: the ranks average them, every so often."""
    largest = np.maximum.accumulate(spread.values) if len(spread) else spread.values
    return bool(((largest > APART) & (spread.values < _RETURNED * largest)).any())
