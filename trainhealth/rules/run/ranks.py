"""Several ranks side by side: how far their parameters are apart, and whether they only ever move apart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from trainhealth.series import FloatArray, IntArray, RunView, Series, empty_series

EQUAL = 1e-5  # a log holds 5 digits


def distance(run: RunView) -> Series:
    """Return how far the ranks are apart before the update, at the steps at which all of them measured their weights.

    For each parameter, the standard deviations over ranks of its mean and of its standard deviation, halved and
    divided by the mean of the latter; of these the mean. Equal ranks have 0. Empty for one rank.
    """
    steps, means = _of_ranks(run, "weight_mean")
    others, spreads = _of_ranks(run, "weight_std")
    if not len(steps) or not np.array_equal(steps, others) or means.shape != spreads.shape:
        return empty_series("weight_mean")
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        apart = (means.std(axis=0) + spreads.std(axis=0)) / 2 / spreads.mean(axis=0)
    return _mean_of_known("weight_mean", steps, apart)


def norm_spread(run: RunView) -> Series:
    """Return how far the ranks' parameter norms are apart, at the sampled steps that all of them share.

    For each parameter, the standard deviation over ranks of its L2 norm over the mean norm; of these the mean. Two
    ranks with equal parameters have 0. Empty for one rank.
    """
    steps, norms = _of_ranks(run, "parameter_norm")
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        apart = norms.std(axis=0) / norms.mean(axis=0) if len(steps) else np.empty((0, 0))
    return _mean_of_known("parameter_norm", steps, apart)


def only_moves_apart(apart: Series, least: float) -> bool:
    """Tell whether ranks that began equal end more than `least` apart, and have moved apart all the time.

    Of ranks that average their weights every so often, the distance stops growing after a round; that of others grows
    on, at least with the root of the steps. So the mean of the last two distances must be twice the largest one of the
    first eighth of the run.
    """
    if len(apart) < 2 or apart.values[0] > EQUAL:
        return False
    early = apart.between(0, apart.last_step // 8).values
    now = float(apart.values[-2:].mean())
    return bool(now > max(least, 2 * float(early.max(initial=0.0))))


def comes_together(spread: Series) -> bool:
    """Tell whether ranks that were apart came together at least twice, to a third of the largest spread before."""
    count, largest = 0, 0.0
    for value in spread.values.tolist():
        if value < largest / 3:
            count, largest = count + 1, value
        largest = max(largest, value)
    return count >= 2


def _of_ranks(run: RunView, signal: str) -> tuple[IntArray, FloatArray]:
    """Return the common sampled steps int64 [steps], and the values of the common places float64 [ranks, steps, n]."""
    every = [rank.columns(signal) for rank in run.by_rank.values()]
    names = sorted(set(every[0].places).intersection(*(columns.places for columns in every))) if every else []
    if not names:
        return np.empty(0, np.int64), np.empty((0, 0, 0))
    steps = reduce(np.intersect1d, [np.unique(columns.steps) for columns in every])
    parts = []
    for columns in every:
        rows, slots = np.searchsorted(columns.steps, steps), _positions(columns.places, names)
        parts.append(columns.values[np.ix_(rows, slots)].astype(np.float64))
    return steps, np.stack(parts)


def _positions(places: Sequence[str], names: Sequence[str]) -> IntArray:
    return np.array([places.index(name) for name in names], np.int64)


def _mean_of_known(name: str, steps: IntArray, values: FloatArray) -> Series:
    """Return the mean over places of what is finite, without the steps at which nothing is."""
    known = np.isfinite(values)
    counts = known.sum(axis=1)
    means = np.where(known, values, 0.0).sum(axis=1) / np.maximum(counts, 1)
    return Series(name, steps[counts > 0], means[counts > 0])
