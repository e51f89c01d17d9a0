"""The validation curve beside the training curve: where it was best, where it ended, how noisy it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.series import FloatArray, RunView, Series, empty_series

EVALUATIONS = 60  # evaluations that are compared one by one; more are taken in blocks


@dataclass(frozen=True, slots=True, eq=False)
class LossComparison:
    """validation_loss in blocks of evaluations, and train_loss brought to the same axis.

    `levels` float64 [k] are medians of three neighbouring blocks; `train` float64 [k] is the mean train_loss up to
    each block since the one before (NaN where there is none), `train_error` its noise and `train_start` its first
    value; `start` is the larger one of the first training and validation losses.
    """

    parts: curves.Blocks
    levels: FloatArray
    train: FloatArray
    train_error: float
    train_start: float
    start: float

    @property
    def best(self) -> int:
        """The block with the lowest level."""
        return int(np.argmin(self.levels))

    @property
    def best_level(self) -> float:
        """The lowest level."""
        return float(self.levels[self.best])

    @property
    def best_evaluation(self) -> tuple[int, float]:
        """Step and loss of the lowest block among the best one and its neighbours, without smoothing."""
        near = slice(max(self.best - 1, 0), self.best + 2)
        lowest = int(np.argmin(self.parts.medians[near]))
        return int(self.parts.last_steps[near][lowest]), float(self.parts.medians[near][lowest])

    @property
    def end(self) -> float:
        """Level of the last three blocks."""
        return float(np.median(self.parts.medians[-3:]))

    @property
    def rise(self) -> float:
        """How far the end lies above the best level, in the loss's unit."""
        return self.end - self.best_level

    @property
    def trend_since_best(self) -> float:
        """Mann-Kendall's z of the blocks after the best one and its neighbour; 0 for fewer than six of them.

        The neighbour is left out since it took part in choosing the best, and chance made it low.
        """
        after = slice(self.best + 2, None)
        since = Series("validation_loss", self.parts.last_steps[after], self.parts.medians[after])
        return curves.trend(since, EVALUATIONS).z if len(since) >= 6 else 0.0

    @property
    def knows_train(self) -> bool:
        """Whether train_loss is there at the best block and at the end."""
        return bool(np.isfinite(self.train[self.best]) and np.isfinite(self.train[-3:]).any())

    @property
    def train_end(self) -> float:
        """Level of train_loss over the last three blocks; NaN where it is unknown."""
        return float(np.nanmedian(self.train[-3:])) if self.knows_train else math.nan

    @property
    def train_change(self) -> float:
        """Change of train_loss from the best block to the end, in units of its noise; negative where it fell."""
        change = self.train_end - float(self.train[self.best])
        return change / self.train_error if self.train_error > 0 else math.copysign(math.inf, change) if change else 0.0


def compare_losses(run: RunView) -> LossComparison | None:
    """Return the two loss curves on the axis of the evaluations.

    None for fewer than three finite evaluations, or where the newest one is not finite: then there is no end to judge.
    """
    validation = run.series("validation_loss")
    parts = curves.blocks(validation, EVALUATIONS)
    if len(parts) < 3 or not np.isfinite(validation.values[-1]):
        return None
    losses = curves.clean(run.series("train_loss"))
    train = curves.means_until(losses, parts.last_steps)
    known = np.isfinite(train)
    error = curves.noise(Series("train_loss", parts.last_steps[known], train[known]))
    train_start = float(losses.values[0]) if len(losses) else math.nan
    start = float(np.fmax(parts.medians[0], train_start))
    return LossComparison(parts, curves.smooth(parts.medians), train, error, train_start, start)


def accuracy_gap(run: RunView) -> tuple[Series, Series]:
    """Return training minus validation accuracy at every evaluation, and the validation accuracy there.

    Both are empty where one is no fraction (a log in per cent): the thresholds are fractions.
    """
    validation = curves.clean(run.series("validation_accuracy"))
    if not (fractions(validation) and fractions(run.series("train_accuracy"))):
        validation = empty_series(validation.name)
    gap = curves.means_until(run.series("train_accuracy"), validation.steps) - validation.values
    known = np.isfinite(gap)
    kept = Series(validation.name, validation.steps[known], validation.values[known])
    return Series("accuracy gap", kept.steps, gap[known]), kept


def fractions(series: Series) -> bool:
    """Tell whether no value lies above 1: an accuracy in per cent does."""
    return not (series.values > 1).any()


def resolution(accuracy: Series) -> float:
    """Return the smallest step between two values of an accuracy, its share of one example; 0 where all are equal.

    A split of 35 examples knows no accuracies but k / 35: a change of 1 / 35 is one example.
    """
    apart = np.diff(np.unique(np.round(accuracy.values, 6)))
    return float(apart.min()) if len(apart) else 0.0


def when(run: RunView, step: int) -> str:
    """Return the epoch that ended at `step` as people say it, or the step."""
    return next((f"epoch {epoch.number}" for epoch in run.epochs if epoch.step == step), f"step {step}")


def validation_error(run: RunView) -> Series:
    """Return what a user wants small: 1 - validation_accuracy where that is logged, else validation_loss.

    A cross-entropy goes on falling when every answer is right, and rises by overconfidence alone: where both are
    logged, the accuracy decides. An accuracy in per cent becomes a fraction.
    """
    accuracy = curves.clean(run.series("validation_accuracy"))
    if not len(accuracy):
        return curves.clean(run.series("validation_loss"))
    return Series(accuracy.name, accuracy.steps, 1.0 - accuracy.values / (1 if fractions(accuracy) else 100))
