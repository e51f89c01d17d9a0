"""The gradients' noise scale from what the ranks of a distributed training have logged, each for itself."""

from __future__ import annotations

import numpy as np

from trainhealth.merging import in_force
from trainhealth.series import Series

AVERAGED = 8  # estimates whose mean is taken, as of those that one process makes: one alone is mostly noise


def noise_scale(ratios: Series, ranks: int, sizes: Series) -> Series:
    """Return `gradient_noise_scale`, in samples, from the merged `rank_gradient_ratio` of `ranks` ranks.

    `sizes` are the batch sizes of all ranks together. With R the ratio, N ranks and B samples, |G|^2 is the share
    (N / R - 1) / (N - 1) of the ranks' mean square |G|^2 + N tr(Sigma) / B (McCandlish et al. 2018, "An Empirical Model
    of Large-Batch Training", appendix A.1); of the last `AVERAGED` shares the mean counts.

    >>> half_noise = Series("rank_gradient_ratio", np.array([0]), np.array([1.5]))
    >>> noise_scale(half_noise, 2, Series("batch_size", np.array([0]), np.array([64.0]))).values
    array([64.])
    """
    known = ratios.finite()
    if ranks < 2 or not len(known):
        return Series("gradient_noise_scale", known.steps[:0], known.values[:0])
    shares = np.concatenate([np.full(AVERAGED - 1, np.nan), (ranks / known.values - 1) / (ranks - 1)])
    means = np.nanmean(np.lib.stride_tricks.sliding_window_view(shares, AVERAGED), axis=1)
    own = in_force(sizes, known.steps, np.nan) / ranks
    with np.errstate(divide="ignore"):
        scales = np.where(means > 0, own * np.maximum(1 - means, 0.0) / means, np.inf)
    return Series("gradient_noise_scale", known.steps, scales)
