"""The gradients' noise scale from what ranks have logged: that of a known distribution, and where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest

from trainhealth.builder import RunBuilder
from trainhealth.rank_noise import AVERAGED, noise_scale
from trainhealth.records import LayoutRecord, RunInfo, SampleRecord, StepRecord
from trainhealth.series import RunView, Series


def view_of(ratios: np.ndarray, size: int) -> RunView:
    """Return the merged run whose ranks have logged `ratios` [ranks, steps], each with batches of `size`."""
    builder = RunBuilder()
    builder.info = RunInfo(world_size=len(ratios))
    for rank, of_rank in enumerate(ratios):
        builder.feed([StepRecord(step=0, time=0.0, train_loss=1.0, batch_size=size)], rank)
        builder.feed([LayoutRecord(step=0, time=0.0, layout=0, layers=[], parameters=[])], rank)
        for step, ratio in enumerate(of_rank.tolist()):
            batch = {"rank_gradient_ratio": ratio}
            builder.feed([SampleRecord(step=step, time=0.0, layout=0, batch_size=size, batch=batch)], rank)
    return builder.view()


@pytest.mark.parametrize("ranks", [2, 8])
def test_the_scale_of_a_known_distribution(ranks: int) -> None:
    """Gradients of samples with mean m and covariance I in d dimensions have the scale d / |m|^2."""
    random, dimensions, size, mean = np.random.default_rng(0), 1000, 16, 0.5
    own = mean + random.normal(0, 1 / np.sqrt(size), (60, ranks, dimensions))
    means = (own.mean(axis=1) ** 2).sum(axis=1)
    ratios = ((own**2).sum(axis=2) / means[:, None]).T
    scales = view_of(ratios, size).series("gradient_noise_scale").values
    assert len(scales) == 60
    assert np.median(scales) == pytest.approx(1 / mean**2, rel=0.03)


def test_nothing_but_noise_is_an_infinite_scale() -> None:
    """Then the ranks' gradients are as large as if they were independent."""
    scales = view_of(np.full((4, 3), 4.0), 16).series("gradient_noise_scale")
    assert scales.values.tolist() == [np.inf] * 3


def test_no_noise_is_a_scale_of_nothing() -> None:
    """Every rank's gradient is the mean, to the accuracy of its sum."""
    scales = view_of(np.full((4, 3), 1 - 1e-6), 16).series("gradient_noise_scale")
    assert scales.values.tolist() == [0.0] * 3


def test_the_last_estimates_count() -> None:
    """A mean over steps would hold the noise of the beginning for ever."""
    ratios = np.concatenate([np.full((2, 20), 1.01), np.full((2, AVERAGED), 1.5)], axis=1)
    assert view_of(ratios, 16).series("gradient_noise_scale").values[-1] == pytest.approx(2 * 16)


def test_one_rank_tells_what_it_knows() -> None:
    """Where the other ranks' files are missing, its own gradient against the mean is an estimate all the same."""
    ratio, sizes = (Series(name, np.array([0]), np.array([value])) for name, value in (("r", 1.5), ("b", 32.0)))
    assert noise_scale(ratio, 2, sizes).values.tolist() == pytest.approx([32.0])
    assert not len(noise_scale(ratio, 1, sizes))
