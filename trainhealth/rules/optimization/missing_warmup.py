"""OP04 missing-warmup: the loss exploded in the first steps, which were taken at the full rate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import EXPLOSION
from trainhealth.rules.chance import Chance, chance_level
from trainhealth.rules.objective import moving_target, values_of_actions
from trainhealth.rules.progress import by_epoch, too_short
from trainhealth.schedules import Schedule, recognise
from trainhealth.series import RunView, Series

_BY_LUCK = 0.05  # share of the values of a shock: where more are as low as the first one, that was one of them


class _Shock(NamedTuple):
    """An explosion of the first steps: the loss before, the highest level, and from when until when it lasted."""

    begun: float
    peak: float
    first_step: int
    last_step: int
    values: int


class MissingWarmup(Rule):
    """The loss exploded in the first steps, which were taken at the full learning rate.

    What it detects
        A train_loss (in the loss's own unit) that rises far above the original cost within the first steps, at a rate
        that was not warmed up.

    Why it matters
        Fresh weights have steep directions, and the averages of adaptive optimizers know no scale yet. What the first
        steps destroy (dead units, weights that are far too large) makes all that follows slower or worse.

    How it decides
        The original cost is the first value, or the loss of guessing where that is higher. It fires if the running
        median of five reaches `times` the original cost within the first `early` steps and stays above 1.2 times the
        original cost for at least `lasting` values from there, the rate in force then was at least half of its peak,
        and no warm-up of more than ten steps came before. It is a warning where the peak is above 3 times the original
        cost (the lectures' limit) and `costly` values or more pass before it is down again, else a note. Where the loss
        of guessing is not known, the first value may be low by chance: a peak must then be above the lectures' limit,
        and all but one in twenty of its values above the first; and it is a note and a hint.
        A peak above `overthrown` times the first loss is a warning at any length.

    What to try
        A linear warm-up over the first steps; clipping; a lower rate.

    When it is wrong
        A rate that is too high for good explodes at once, too: then that is the cause, and this is folded under it. An
        explosion that does not come back is a divergence, which LS02 and OP01 see: silent. A bump below `times` is
        usual with momentum and adaptive optimizers: silent. In a log by epoch the first steps can't be seen, and where
        the log begins in the middle of a run they were not logged: the first is not checked. Losses that may be
        negative have no original cost to multiply: silent.
    """

    code = "OP04"
    name = "missing-warmup"
    topic = "optimization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    uses = ("learning_rate",)
    references = (
        Reference(
            "L16 Practical Aspects, Opt Optimizing Neural Networks: learning rate",
            "High initial rates can make the loss explode; increase the rate linearly from 0 over about 5,000 steps.",
        ),
        Reference(
            "Tr1 Training Networks (Part 1): hyperparameter search",
            "A cost above 3 times the original one is an explosion.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        times: float = option(2.5, "times the original cost", "house choice: healthy bumps reach 2.1")
        early: int = option(100, "steps", "house choice: adaptive averages have settled by then")
        lasting: int = option(3, "values", "house choice: of medians of five, so that hard batches don't count")
        overthrown: float = option(100.0, "times the first loss", "house choice: what was drawn well is thrown away")
        costly: int = option(10, "values", "house choice: batch norm and momentum heal a shock within 3 to 6")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the first steps blew the loss up."""
        losses = curves.clean(run.series("train_loss"))
        reason = moving_target(run) or values_of_actions(run) or too_short(run, losses)
        if reason:
            return NotChecked(reason)
        if by_epoch(run) or (len(losses) > 1 and losses.steps[1] - losses.steps[0] > options.early // 10):
            return NotChecked("the log has too few values of the first steps")
        schedule = recognise(run.learning_rate)
        chance = chance_level(run)
        guess = chance.constant * chance.scale if isinstance(chance, Chance) else None
        shock = _shock(losses, guess, options)
        if shock is None or _warmed_up(run, schedule, shock):
            return []
        sure = guess is not None
        exploded = shock.peak > EXPLOSION * shock.begun and shock.values >= options.costly
        costly = sure and (exploded or shock.peak > options.overthrown * shock.begun)
        return [self._describe(run, losses, shock, sure, costly)]

    def _describe(self, run: RunView, losses: Series, shock: _Shock, sure: bool, costly: bool) -> Finding:
        rate = run.learning_rate.at(shock.first_step)
        at = f" at the full learning rate of {number(rate)}" if rate > 0 else ""
        return self.finding(
            f"train_loss rose from {number(shock.begun)} to {number(shock.peak)} in the first steps (step"
            f" {shock.first_step}){at}, and took {shock.values} steps to come back.",
            [
                Evidence(
                    "train_loss",
                    None,
                    shock.first_step,
                    shock.last_step,
                    shock.peak,
                    f"about {number(shock.begun)} or less",
                )
            ],
            _recommend(run, losses, shock, rate),
            severity=Severity.WARNING if costly else Severity.NOTE,
            confidence=Confidence.LIKELY if sure and rate > 0 else Confidence.HINT,
        )


def _shock(losses: Series, guess: float | None, options: MissingWarmup.Options) -> _Shock | None:
    begun = float(losses.values[0]) if guess is None else max(float(losses.values[0]), guess)
    if not begun > 0 or losses.values.min() < 0 or len(losses) < 5:
        return None
    fives = np.lib.stride_tricks.sliding_window_view(losses.values, 5)  # level i is the median of i to i + 4
    within = int(np.searchsorted(losses.steps, losses.steps[0] + options.early))
    high = np.flatnonzero(np.median(fives[:within], axis=1) >= (EXPLOSION if guess is None else options.times) * begun)
    if not len(high):
        return None
    first = int(high[0])
    levels = np.median(fives[first:], axis=1)
    back = np.flatnonzero(levels <= 1.2 * begun)
    if not len(back) or back[0] < options.lasting:
        return None  # lost for good, which is another illness, or over at once
    last = first + int(back[0])
    if guess is None and np.mean(losses.values[first : last + 4] <= begun) > _BY_LUCK:
        return None
    peak = float(levels[: back[0]].max())
    middle = losses.steps[2:]  # of the five values of each level
    return _Shock(begun, peak, int(middle[first]), int(middle[last - 1]), last - first)


def _warmed_up(run: RunView, schedule: Schedule, shock: _Shock) -> bool:
    """Tell whether the shock came after a warm-up, or at a rate that is far below the run's highest."""
    rate = run.learning_rate.at(shock.first_step)
    gradual = schedule.warm_up_end is not None and schedule.warm_up_end > 10
    return gradual or rate < 0.5 * schedule.peak


def _recommend(run: RunView, losses: Series, shock: _Shock, rate: float) -> list[Recommendation]:
    steps = min(max(2 * (shock.first_step + shock.values), len(losses) // 20, 20), 5000)
    to = f" to {number(rate)}" if rate > 0 else ""
    verify = f"train_loss does not exceed {number(1.2 * shock.begun)} in the first steps."
    advice = [
        Recommendation(
            f"Raise the learning rate linearly from almost 0{to} over the first {steps} steps.",
            "Small first steps leave the steep directions of fresh weights, and let adaptive averages settle.",
            verify,
            "A rate that is too high for good breaks the run at the end of the warm-up.",
            "warm-up",
        )
    ]
    norms = run.series("gradient_norm").between(shock.last_step, run.last_step).finite().values
    limit = f"at {number(float(f'{np.median(norms):.2g}'))}, its median later on" if len(norms) >= 20 else "at 1"
    advice.append(
        Recommendation(
            f"Clip the gradient norm {limit}.",
            "It bounds what the first, steep gradients can do.",
            verify,
            "Adaptive optimizers divide its effect out.",
            "gradient-clipping",
        )
    )
    return advice
