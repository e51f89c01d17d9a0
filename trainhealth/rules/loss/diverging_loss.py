"""LS02 diverging-loss: the training loss runs away and does not come back."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trainhealth import curves
from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import better_since
from trainhealth.rules.objective import hovers_around_zero, moving_target
from trainhealth.rules.progress import EPOCHS, by_epoch, by_step, few_values, last_level
from trainhealth.series import FloatArray, RunView, Series

_ALL_THE_TIME = 3.0  # Mann-Kendall's z: that of eight values that all rise is 3.3; one in 700 flat curves has as much
_STRETCHES = 9  # blocks of the run, too few to take a bend of the curve for noise that neighbours share

_PARTS = Recommendation(
    "Log the terms of the loss one by one: watch.step({name: term, ...}).",
    "A term that grows by itself (a penalty, a sum over longer sequences) hides how the task goes.",
    "The term of the task falls with validation_loss, and another one is seen to rise.",
    recipe="check-the-loss",
)


class _Rise(NamedTuple):
    """A stretch at the end of a curve that lies above what the run has had."""

    first_step: int  # of the stretch
    reference_step: int
    reference: float  # level that it is measured against: the original cost, or the best level
    end: float  # level at the end
    sure: bool  # above the lecture's limit
    mild: bool = False  # what was lost is large as a factor only


class DivergingLoss(Rule):
    """The training loss has run away from its best level and does not come back.

    What it detects
        train_loss (in the loss's own unit) that ends far above where it has been: above a multiple of the original
        cost, or so far above its best level that most of what was learnt is lost.

    Why it matters
        A loss that runs away ends in overflow, or stays at a level at which nothing is known. Nothing that is
        computed from then on is of use, and the best weights are those from before.

    How it decides
        (1) The original cost is the smaller one of the first value and the median of the first five; it counts where no
        loss is negative and it is above 3 times its own noise. It fires where the running median of three is above
        `times_original` x the original cost from some step to the end: for at least `shortest` of all values (at least
        5; 2 of a log of fewer than 20), not more than a fifth of the values before were above it, and the logarithm of
        the ratio is `errors` times its own noise.
        (2) Or: the curve is cut into 32 blocks (or single values); `start` is the level of the first, `best` the
        lowest, `end` the median of the last three. It fires where end - best is above 1.5 x `errors` standard errors of
        a block, the last `persistent` of the blocks (at least 3) lie above (best + end) / 2, three quarters of their
        values lie above three quarters of those around the best, and end - best is at least `undone` x (start - best)
        and, where no loss is negative, `worse` x start; where nothing had been learnt (start = best), at least `never`
        x start, or 10 times the noise of a single value.
        (3) Or: (2) holds for the logarithm of the loss, where all of 32 losses or more are positive, the first level
        was more than `factor` times the best, and the end is above `lost` of the original cost: half of the factor by
        which the loss had fallen is undone (of a fall to a hundredth, a rise to ten times the best level). That is a
        warning.
        (4) Or, where values stand for more than a step: the loss has risen all the time (Mann-Kendall z above 3, at
        least 8 values), while an accuracy fell (z below -2) and none rose, at a rate that has not risen. A warning.
        None fires while the loss is on its way back: where the trend of the stretch's second half, carried on for as
        long as the stretch has lasted, ends below the limit. (2) waits while the learning rate rises, and where it is
        more than 1.5 times that at the best level, three quarters of the progress have to be lost. All wait for
        `least_steps` steps in a log by step, and for 5 values in any. Where an evaluation's loss falls, or its accuracy
        rises, over the very stretch (Mann-Kendall z beyond 2 in that direction, at least 5 evaluations, and the last
        ones better than any before the stretch), it is a note and a hint: what rises is another part of the loss.

    What to try
        A tenth of the learning rate; the weights from before the rise. Where it began in the first steps, warm-up;
        where single gradients are large, clipping.

    When it is wrong
        Spikes that heal, warm-up bumps, restarts and a harder task in a curriculum lift the loss for a while: silent,
        as long as it falls again. A harder task that is not learnt looks like a divergence. So does a penalty whose
        weight rises (a variational autoencoder's annealing) and undoes half of the progress; a note where an evaluation
        shows that the model improves. In reinforcement learning
        and between adversaries a rising loss is no illness: not checked; nor are several optimizers with a loss each.
        A loss that goes to and fro across 0 from its beginning has no level to lose, and may be a policy's: not
        checked. Losses that may be negative have no ratio: only (2) sees them. A rise within the last two per cent of a
        run, and one in its first steps, are missed.
    """

    code = "LS02"
    name = "diverging-loss"
    topic = "loss"
    severity = Severity.CRITICAL
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    uses = ("learning_rate", "gradient_norm", "validation_loss", "validation_accuracy")
    references = (
        Reference(
            "L16 Practical Aspects, Tr1 Training Networks (Part 1): hyperparameter search",
            "If the cost is ever above 3 times the original cost, break out early.",
        ),
        Reference(
            "Opt, Optimizing Neural Networks: choosing hyperparameters, step 2",
            "Loss explodes to Inf or NaN: learning rate too high, or bad initialisation.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        times_original: float = option(3.0, "times the original cost", "lectures L16 and Tr1")
        shortest: float = option(0.02, "share of the run's values", "house choice: longer than spikes that heal")
        errors: float = option(5.0, "standard errors", "house choice: never reached in 10,000 simulated flat runs")
        undone: float = option(0.5, "share of the progress", "house choice")
        worse: float = option(0.2, "share of the original cost", "house choice")
        factor: float = option(9.0, "times the best level", "3 x 3: half of it undone is a rise to 3 times that level")
        lost: float = option(0.1, "share of the original cost", "house choice: below it nearly all is kept")
        never: float = option(0.5, "share of the original cost", "house choice")
        persistent: float = option(0.15, "share of the run's values", "house choice")
        least_steps: int = option(100, "steps", "house choice: the first steps of a run settle by themselves")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the loss has run away, by either criterion."""
        reason = moving_target(run)
        if reason:
            return NotChecked(reason)
        own = [optimizer.name for optimizer in run.info.optimizers if run.has(f"loss/{optimizer.name}")]
        if len(own) > 1:
            return NotChecked(f"{' and '.join(own)} have a loss of their own each, and one may gain what another loses")
        logged = run.series("train_loss")
        losses = curves.clean(logged)
        if hovers_around_zero(losses):
            return NotChecked("the loss goes to and fro across 0 from its beginning, as that of a policy does")
        lost = _lost(logged)
        if len(losses) < 5 or (not lost and _just_begun(run, options)):
            return NotChecked(few_values(run, losses, 5))
        rates = run.learning_rate
        rise = (
            _above_original(losses, lost, options)
            or _above_best(losses, rates, options)
            or _above_best_by_factors(losses, rates, options)
            or _worse_each_epoch(run, losses)
        )
        return [] if rise is None else [self._describe(run, rise)]

    def _describe(self, run: RunView, rise: _Rise) -> Finding:
        times = f", {number(rise.end / rise.reference)} times as much" if rise.sure else ""
        what = "the original cost" if rise.sure else "its best level"
        last = run.series("train_loss").last_step
        better = better_since(run, rise.first_step)
        improved = (
            f" Meanwhile {better.name} went from {number(float(better.values[0]))} to"
            f" {number(float(better.values[-1]))}: the model has improved, and another part of the loss has risen."
            if better is not None
            else ""
        )
        return self.finding(
            f"train_loss rose from {what} of {number(rise.reference)} (step {rise.reference_step}) to"
            f" {number(rise.end)} at the end (step {last}){times}, and does not come back.{improved}",
            [
                Evidence(
                    "train_loss",
                    None,
                    rise.first_step,
                    last,
                    rise.end,
                    f"below 3 x {number(rise.reference)}" if rise.sure else f"about {number(rise.reference)} or less",
                )
            ],
            _recommend(run, rise) if better is None else [_PARTS],
            severity=Severity.NOTE if better is not None else Severity.WARNING if rise.mild else Severity.CRITICAL,
            confidence=Confidence.HINT
            if better is not None
            else Confidence.CERTAIN
            if rise.sure
            else Confidence.LIKELY,
        )


def _lost(losses: Series) -> int:
    """Return how many values at the end are not finite."""
    return len(losses) - int(np.max(np.flatnonzero(np.isfinite(losses.values)), initial=-1)) - 1


def _just_begun(run: RunView, options: DivergingLoss.Options) -> bool:
    """Tell whether there are but the first steps of a run (not so where a value stands for an epoch)."""
    each_step = run.watched and not by_epoch(run)
    return each_step and run.ended is None and run.last_step + 1 < options.least_steps


def _original_cost(values: FloatArray, options: DivergingLoss.Options) -> float | None:
    """Return the loss that the run began with; None where a ratio to it has no meaning."""
    cost = float(min(values[0], np.median(values[:5])))
    if values.min() < 0 or cost <= 0:
        return None
    near = values[values <= options.times_original * cost]
    sigma = curves.noise(Series("", np.arange(len(near)), near)) if len(near) >= 8 else 0.0
    return cost if cost > 3 * sigma else None


def _above_original(losses: Series, lost: int, options: DivergingLoss.Options) -> _Rise | None:
    """Return the stretch at the end that is above the lecture's limit; `lost` non-finite values follow it."""
    cost = _original_cost(losses.values, options)
    if cost is None:
        return None
    limit = options.times_original * cost
    within = np.flatnonzero(curves.smooth(losses.values) <= limit)
    first = int(within[-1]) + 1 if len(within) else 0
    length, total = len(losses) - first, len(losses) + lost
    least = max(2 if total < 20 else 5, options.shortest * total)
    if not length or length + lost < least:
        return None
    values = losses.values[first:]
    # noise that is often above the limit has stretches above it by chance, and a first value below it by chance
    before = losses.values[1:first]
    if np.quantile(values, 0.02) <= limit or np.count_nonzero(before > limit) > 0.2 * len(before):
        return None
    ratios = Series(losses.name, losses.steps[first:], np.log(values / cost))
    chance = float(np.median(ratios.values)) < options.errors * curves.noise(ratios)
    if not lost and (chance or _returning(ratios, math.log(options.times_original))):
        return None
    end = float(np.median(values[-3:])) if len(values) > 2 else float(values[-1])
    return _Rise(int(ratios.steps[0]), int(losses.steps[0]), cost, end, sure=True)


def _above_best_by_factors(losses: Series, rates: Series, options: DivergingLoss.Options) -> _Rise | None:
    """Return the stretch at the end that has given back half of the factor by which the loss had fallen."""
    if losses.values.min() <= 0 or len(losses) < curves.BLOCKS:
        return None
    logs = Series(losses.name, losses.steps, np.log(losses.values))
    rise = _above_best(logs, rates, options, logarithmic=True)
    if rise is None or rise.end - float(np.median(logs.values[:5])) < math.log(options.lost):
        return None
    return rise._replace(reference=math.exp(rise.reference), end=math.exp(rise.end), mild=True)


def _worse_each_epoch(run: RunView, losses: Series) -> _Rise | None:
    """Return the whole run where each part of it has made the model worse: little by little, and surely."""
    known = [run.series(name) for name in ("train_accuracy", "validation_accuracy")]
    changes = [curves.trend(accuracy, _STRETCHES).z for accuracy in known if len(accuracy)]
    worse = any(z < -2 for z in changes) and not any(z > 2 for z in changes)
    rates = run.learning_rate.finite().values
    if by_step(run) or len(losses) < EPOCHS or not worse or (len(rates) and rates[-1] > 1.02 * rates[0]):
        return None
    if curves.trend(losses, _STRETCHES).z <= _ALL_THE_TIME:
        return None
    first, begun, end = int(losses.steps[0]), float(losses.values[0]), last_level(losses.values)
    return _Rise(first, first, begun, end, sure=False, mild=True)


def _above_best(
    losses: Series, rates: Series, options: DivergingLoss.Options, *, logarithmic: bool = False
) -> _Rise | None:
    """Return the stretch at the end that is far above the run's best level; of a loss, or of its logarithm."""
    parts = curves.blocks(losses)
    if len(parts) < 8:
        return None
    levels = curves.smooth(parts.medians)
    begin = float(np.median(losses.values[:5]))
    start, end = max(float(levels[0]), begin), float(np.median(parts.medians[-3:]))
    best = int(np.argmin(levels))
    rise, progress = end - levels[best], start - levels[best]
    low = np.flatnonzero(levels <= levels[best] + rise / 2)
    first = int(low[-1]) + 1
    if rise <= options.errors * 1.5 * parts.error or len(levels) - first < max(3, options.persistent * len(levels)):
        return None
    needed = options.undone * progress
    rate = rates.at(losses.last_step)
    if rate > 1.02 * rates.at(int(parts.first_steps[first])):
        return None  # the rate is rising: a bump is to be expected
    if rate > 1.5 * rates.at(int(parts.last_steps[best])):
        needed = 0.75 * progress  # the rate has risen since: a higher level is to be expected
    learnt = progress > options.errors * 1.5 * parts.error
    if logarithmic:
        needed = needed if learnt and progress > math.log(options.factor) else math.inf
    elif losses.values.min() >= 0:
        needed = max(needed, (options.worse if learnt else options.never) * start)
    elif not learnt:
        needed = 10 * curves.noise(losses)
    stretch = losses.between(int(parts.first_steps[first]), losses.last_step)
    around = losses.between(int(parts.first_steps[max(best - 2, 0)]), int(parts.last_steps[min(best + 2, first - 1)]))
    apart = np.quantile(stretch.values, 0.25) > np.quantile(around.values, 0.75)
    if rise < needed or not apart or _returning(stretch, levels[best] + rise / 2):
        return None
    return _Rise(int(parts.first_steps[first]), int(parts.last_steps[best]), float(levels[best]), end, sure=False)


def _returning(stretch: Series, limit: float) -> bool:
    """Tell whether the stretch falls fast enough to be below `limit` after as many steps again."""
    half = len(stretch) // 2
    tail = Series(stretch.name, stretch.steps[half:], stretch.values[half:])
    falling = curves.trend(tail)
    ahead = falling.slope * float(stretch.steps[-1] - stretch.steps[0])
    return falling.z < -2 and float(np.median(tail.values[-3:])) + ahead < limit


def _recommend(run: RunView, rise: _Rise) -> list[Recommendation]:
    rate = run.learning_rate.at(rise.first_step)
    known = np.isfinite(rate) and rate > 0
    lower = (
        f"Lower the learning rate from {number(rate)} to {number(rate / 10)}" if known else "Lower the learning rate"
    )
    advice = [
        Recommendation(
            f"{lower}{'' if known else ' tenfold'}, and start again from weights saved before step {rise.first_step}.",
            "Steps that are too large for the curvature climb instead of descending.",
            f"train_loss stays below {number(rise.reference)} beyond step {rise.first_step}.",
            "A rate that is too low learns slowly: raise it again by factors of 3 once the loss falls.",
            "lower-learning-rate",
            Change("learning_rate", rate, rate / 10) if known else None,
        )
    ]
    norms = run.series("gradient_norm").between(0, rise.first_step - 1).finite()
    if len(norms) >= 20:
        usual = float(np.median(norms.values))
        advice.append(
            Recommendation(
                f"Clip the gradient norm at {number(usual)}, its median before step {rise.first_step}.",
                "A single steep batch (a cliff) can throw the weights far away.",
                "gradient_norm before clipping passes the limit now and then, and train_loss does not jump there.",
                "Clipping at most steps hides a rate that is too high.",
                "gradient-clipping",
            )
        )
    if rise.first_step <= 0.1 * run.last_step:
        advice.append(
            Recommendation(
                "Raise the learning rate linearly from 0 over the first steps (up to some 5,000).",
                "It began early: fresh weights have steep directions, and adaptive optimizers know no scale yet.",
                "train_loss falls through the warm-up and has no peak in it.",
                recipe="warm-up",
            )
        )
    return advice
