"""LS06 oscillating-loss: the training loss swings by more than its batches' noise, and settles nowhere."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trainhealth import curves
from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.objective import moving_target, values_of_actions
from trainhealth.rules.progress import STEPS, by_epoch, first_level, too_short
from trainhealth.schedules import recognise
from trainhealth.series import FloatArray, RunView, Series

_STRETCHES = 24  # of the second half of a run without epochs: enough for a scatter that is good to a sixth
_LEAST = 8  # stretches, or epochs, in the second half: their scatter is good to a third


class _Swings(NamedTuple):
    """The second half of a curve in stretches: from where, its level, the scatter of means, and what noise explains."""

    first_step: int
    level: float
    scatter: float
    explained: float  # NaN where values are means already
    stretch: str  # what a stretch is called


class OscillatingLoss(Rule):
    """The training loss swings by more than its batches explain, and settles nowhere.

    What it detects
        The scatter of the means of train_loss (in the loss's own unit) from epoch to epoch, or from one stretch of
        equal length to the next, over the second half of the run.

    Why it matters
        Over an epoch the same examples are averaged. Where that average still goes up and down, the weights do: steps
        as long as the valley is wide keep jumping across it, and the loss stays above what the model can reach.

    How it decides
        scatter is the standard deviation of a mean around the line through its neighbours (robust). It fires if the
        second half no longer falls (Mann-Kendall z > -2), and scatter is at least `of_progress` of the way from the
        first level to that of the second half, at least `of_level` of that level, and at least `excess` times what the
        noise of single values leaves after averaging over n of them (from successive differences, sigma / sqrt(n));
        `excess_of_stretches` times where a mean is not that of an epoch, because then its examples differ. In a log by
        epoch this can't be checked: there, scatter must be `times_alone` times as large, and it is a hint, and a note
        below `gross` of the progress. It waits for 8 epochs or stretches in the second half, and for 100 steps there;
        and it needs a rate that has not been lowered tenfold, or restarted, meanwhile.

    What to try
        A third of the learning rate, or a schedule that lowers it; larger batches; less momentum.

    When it is wrong
        Small batches make single values noisy and their means smooth: silent. Where the data of an epoch change
        (augmentation, streams, unshuffled files) means differ without any swing of the weights; strong dropout adds to
        it. A log by epoch of a small data set scatters more. Losses of reinforcement learning and between adversaries
        swing by nature: not checked. It misses swings that are fast against an epoch and average out.
    """

    code = "LS06"
    name = "oscillating-loss"
    topic = "loss"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    uses = ("learning_rate",)
    references = (
        Reference(
            "L16 Practical Aspects, Opt Optimizing Neural Networks: learning rate",
            "A rate that is too high bounces around the minimum and settles at a high loss.",
        ),
        Reference(
            "UO Underfitting and Overfitting: batch size",
            "The standard error of a mean over n samples is sigma / sqrt(n).",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        of_progress: float = option(0.04, "share of the progress", "house choice: sweeps over rates of 40 trainings")
        of_level: float = option(0.1, "share of the level", "house choice: the same sweeps")
        excess: float = option(1.8, "times the noise of a mean", "house choice: healthy epochs reach 1.4")
        excess_of_stretches: float = option(2.5, "times the noise of a mean", "house choice: healthy ones reach 2.2")
        times_alone: float = option(2.5, "times the limits", "house choice: where noise can't be told from swings")
        gross: float = option(0.4, "share of the progress", "house choice: healthy logs by epoch reach 0.3")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the means of the second half scatter beyond noise."""
        losses = curves.clean(run.series("train_loss"))
        reason = moving_target(run) or values_of_actions(run) or too_short(run, losses, epochs=2 * _LEAST)
        if reason:
            return NotChecked(reason)
        half = losses.between(int(losses.steps[len(losses) // 2]), losses.last_step)
        rates, schedule = run.learning_rate, recognise(run.learning_rate)
        if len(rates) and not rates.at(half.last_step) >= 0.1 * schedule.peak:
            return []
        swings = _by_epoch(losses, half) if by_epoch(run) else _by_stretch(run, half)
        if swings is None or schedule.rises_between(swings.first_step, run.last_step):
            return []
        progress = first_level(losses.values) - swings.level
        if not self._is_large(swings, progress, options) or curves.trend(half).z < -2:
            return []
        return [self._describe(run, swings, progress, options)]

    def _is_large(self, swings: _Swings, progress: float, options: Options) -> bool:
        excess = options.excess if swings.stretch == "epoch" else options.excess_of_stretches
        if swings.scatter < excess * swings.explained:
            return False
        times = 1.0 if swings.explained == swings.explained else options.times_alone
        return swings.scatter >= times * max(options.of_progress * progress, options.of_level * abs(swings.level)) > 0

    def _describe(self, run: RunView, swings: _Swings, progress: float, options: Options) -> Finding:
        rate, last = run.learning_rate.at(run.last_step), run.series("train_loss").last_step
        at = f" at a learning rate of {number(rate)}" if rate > 0 else ""
        known = swings.explained == swings.explained
        noise = f"; the batches' noise explains {number(float(f'{swings.explained:.2g}'))}" if known else ""
        scatter = float(f"{swings.scatter:.2g}")
        return self.finding(
            f"train_loss swings by {number(scatter)} from {swings.stretch} to {swings.stretch} around a level of"
            f" {number(swings.level)} since step {swings.first_step}{at}{noise}.",
            [
                Evidence(
                    "train_loss",
                    None,
                    swings.first_step,
                    last,
                    scatter,
                    f"swings of about {number(float(f'{swings.explained:.2g}'))}" if known else "small swings",
                )
            ],
            _recommend(rate, swings),
            severity=Severity.WARNING if known or scatter >= options.gross * progress else Severity.NOTE,
            confidence=Confidence.LIKELY if known else Confidence.HINT,
            first_step=swings.first_step,
        )


def _by_epoch(losses: Series, half: Series) -> _Swings | None:
    if len(half) < _LEAST or len(losses) < 2 * _LEAST:
        return None
    scatter = curves.noise(half)
    return _Swings(int(half.steps[0]), float(np.median(half.values)), scatter, math.nan, "epoch")


def _by_stretch(run: RunView, half: Series) -> _Swings | None:
    """Return the swings between the epochs of the second half, or between stretches where there are too few epochs."""
    ends = np.array([epoch.step for epoch in run.epochs], np.int64)
    cuts = np.searchsorted(half.steps, ends[ends > half.steps[0]], side="left")
    name = "epoch"
    if len(cuts) <= _LEAST or len(half) < STEPS // 2:
        if len(half) < STEPS:
            return None
        cuts, name = np.linspace(0, len(half), _STRETCHES + 1).astype(np.int64), "stretch"
    cuts = np.unique(cuts)
    sizes = np.diff(cuts)
    if len(sizes) < _LEAST or not sizes.min() >= 1:
        return None
    scale = float(np.abs(half.values).max()) or 1.0
    sums = np.concatenate([[0.0], np.cumsum(half.values / scale)])
    means: FloatArray = (sums[cuts[1:]] - sums[cuts[:-1]]) / sizes
    middles = half.steps[(cuts[1:] + cuts[:-1]) // 2 - (cuts[1:] == cuts[:-1] + 1)]
    scatter = scale * curves.noise(Series("", middles, means))
    inner = np.diff(half.values / scale)
    sigma = scale * math.sqrt(float(np.mean(inner**2)) / 2)
    explained = sigma / math.sqrt(float(np.median(sizes)))
    return _Swings(int(half.steps[cuts[0]]), float(scale * np.median(means)), scatter, explained, name)


def _recommend(rate: float, swings: _Swings) -> list[Recommendation]:
    lower = f"from {number(rate)} to {number(rate / 3)}" if rate > 0 else "to a third"
    settles = f"The means of train_loss change by less than half of {number(float(f'{swings.scatter:.2g}'))}"
    return [
        Recommendation(
            f"Lower the learning rate {lower}.",
            "Steps as long as the valley is wide jump across it; shorter ones go down into it.",
            f"{settles} and their level falls below {number(swings.level)}.",
            "A rate that is too low learns slowly: look at the first epochs as well.",
            "lower-learning-rate",
            Change("learning_rate", rate, rate / 3) if rate > 0 else None,
        ),
        Recommendation(
            "Or keep it for the start and lower it over the run: cosine or linear, to about a hundredth.",
            "High rates are good for the way down and bad for the end of it.",
            f"{settles} towards the end, and the loss falls with the rate.",
            recipe="learning-rate-schedule",
        ),
        Recommendation(
            "Or double the batch size at the same rate.",
            "The gradient's noise, which drives the swings, falls with the root of the batch size.",
            f"{settles}.",
            "An epoch then has half as many steps.",
            "batch-size",
        ),
    ]
