"""The search for a learning rate: a range test for the bounds, then short trainings from one start for the choice.

A range test alone misleads. Each of its losses is the work of all rates before it, so that a turn shows late (with
momentum 0.9 by ten steps and more), and most of all for adaptive optimizers, whose averages are still filling; and
what falls fastest within one step is not what gets furthest. So it only says where rates become too high. The choice
is made by successive halving (Jamieson and Talwalkar 2016): trainings with constant rates from the same start, on the
same batches, the better ones again and for longer, judged on batches that they have not seen.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

RAMP_LOW, RAMP_HIGH = 1e-7, 1e2
SMOOTHED = 5  # steps of the range test that are averaged
LASTING = 10  # steps that a rise must last, or to the end
NOTABLE = 0.05  # of the loss at the start: less of a rise or a fall may be noise
ALIKE = 0.05  # of the best loss: such rates are as good, and the lowest of them is the safest
LOOKS = 4  # times that a training is measured on held-out batches; the best one counts, as in early stopping
QUARTER = 10**0.25  # rates are tried at quarters of decades
LEAST_FIRST = 20  # steps: with less for the first rung, two rungs are better than three
SETTLING = 30  # steps: 0.9^30 of what batch norm's running averages began with is 4 %
EXTENSIONS = 4  # rates tried beyond an edge at which the best one lies


@dataclass(frozen=True, slots=True)
class Course:
    """What a short training has shown. It ends early where the loss breaks."""

    losses: tuple[float, ...]  # of each step's batch, before its update
    held_out: tuple[float, ...] = ()  # at evenly spaced steps; infinite from where it broke


class Train(Protocol):
    """Trains from one start, on the same batches in the same order, whenever it is called."""

    def __call__(self, rates: Sequence[float], looks: int = 0) -> Course:
        """Train one step with each of `rates`, and measure `looks` times on held-out batches."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """A range test: the loss while the rate rises at every step."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    top: float  # the rate at which the loss had risen above that of the start; the last one, if it never had


@dataclass(frozen=True, slots=True)
class Tried:
    """One constant rate: the lowest held-out loss within so many steps; infinite if it broke."""

    rate: float
    steps: int
    loss: float


@dataclass(frozen=True, slots=True)
class Search:
    """What the search has found."""

    start: float  # held-out loss before the first step
    tried: tuple[Tried, ...]  # in the order in which they were tried
    suggested: Tried | None  # None where no training got anywhere
    breaks: float | None  # the lowest rate above it that got less than half as far, if one was tried


def range_test(train: Train, steps: int) -> Ramp:
    """Return a range test (Smith 2017) of `steps` steps, with rates a constant factor apart."""
    growth = (RAMP_HIGH / RAMP_LOW) ** (1 / (steps - 1))
    rates = [RAMP_LOW * growth**step for step in range(steps)]
    losses = train(rates).losses
    first = [loss for loss in losses[: steps // 5] if math.isfinite(loss)]  # rates too low to change anything
    start = statistics.median(first) if first else math.nan
    noise = statistics.pstdev(first) if first else 0.0  # of batches, which differ
    limit = start + max(NOTABLE * abs(start), 2 * noise / math.sqrt(SMOOTHED))
    top, above = len(losses) - 1, 0
    for step in range(len(losses)):
        window = losses[max(step - SMOOTHED + 1, 0) : step + 1]
        above = 0 if sum(window) / len(window) <= limit else above + 1  # NaN is above
        if above and (above == LASTING or step == len(losses) - 1):
            top = step - above + 1
            break
    return Ramp(tuple(rates[: len(losses)]), losses, rates[top])


def search(train: Train, top: float, budget: int) -> Search:
    """Return the rate that trains best below `top`, with about `budget` steps of training in all."""
    rungs = _Rungs(train, top, budget)
    spread = list(range(1, 12, 2))  # quarters of decades below the top
    if budget // 60 >= LEAST_FIRST:
        lengths, around = [budget // 60, 3 * (budget // 60), 9 * (budget // 60)], [2, 1]
    else:
        lengths, around = [max(budget // 22, 2), 4 * max(budget // 22, 2)], [1]
    rung = rungs.run(spread, lengths[0], 2)
    for shorter, steps, reach in zip(lengths, lengths[1:], around, strict=False):
        best = rungs.best(rung, shorter)
        if best is None:  # nothing has moved yet: all again, for longer
            rung = rungs.run(rungs.unbroken(rung), steps, 2)
        else:
            rung = rungs.run(range(best - reach, best + reach + 1), steps, 1)
    return rungs.found(rung, lengths[-1])


class _Rungs:
    """The rungs of one search. Rates are counted in quarters of decades below the top."""

    def __init__(self, train: Train, top: float, budget: int) -> None:
        self._train, self._top = train, top
        self._left = budget
        self._tried: dict[tuple[int, int], Tried] = {}  # by rate and steps
        # at rate 0, so that the running averages of batch norm have settled, which is no progress
        self._start = train([0.0] * SETTLING, 1).held_out[0]

    def run(self, rates: Iterable[int], steps: int, spacing: int) -> list[int]:
        """Try these rates for so many steps, and further ones beyond an edge that is best; return all of them."""
        rung = sorted(rates)
        for one in rung:
            self._try(one, steps)
        for _ in range(EXTENSIONS):
            losses = [self._tried[one, steps].loss for one in rung]
            lowest = min(losses, default=math.inf)
            if not rung or self._left < steps:
                break
            if losses[-1] == lowest:  # at the lower edge, or all of them broke
                rung.append(rung[-1] + spacing)
                self._try(rung[-1], steps)
            elif losses[0] == lowest:
                rung.insert(0, rung[0] - spacing)
                self._try(rung[0], steps)
            else:
                break
        return rung

    def best(self, rung: Sequence[int], steps: int) -> int | None:
        """Return the rate that got furthest; None if none has moved."""
        best = min(rung, key=lambda one: self._tried[one, steps].loss, default=None)
        if best is None or not self._start - self._tried[best, steps].loss >= NOTABLE * abs(self._start):
            return None
        return best

    def unbroken(self, rung: Sequence[int]) -> list[int]:
        """Return those of the rates at which no training got notably worse than the start."""
        worst = {one: max(tried.loss for (at, _), tried in self._tried.items() if at == one) for one in rung}
        return [one for one, loss in worst.items() if loss <= self._start + NOTABLE * abs(self._start)]

    def found(self, rung: Sequence[int], steps: int) -> Search:
        """Return the result: the lowest of the last rung's neighbouring rates that are as good as the best one."""
        tried = tuple(self._tried.values())
        best = self.best(rung, steps)
        if best is None:
            return Search(self._start, tried, None, None)
        lowest = self._tried[best, steps].loss
        limit = lowest + ALIKE * min(abs(lowest), self._start - lowest)
        while best + 1 in rung and self._tried[best + 1, steps].loss <= limit:
            best += 1
        suggested = self._tried[best, steps]
        furthest = {one.steps: min(other.loss for other in tried if other.steps == one.steps) for one in tried}
        above = [one for one in tried if one.rate > suggested.rate]
        failed = [one.rate for one in above if one.loss > (self._start + furthest[one.steps]) / 2]
        return Search(self._start, tried, suggested, min(failed, default=None))

    def _try(self, below: int, steps: int) -> None:
        rate = self._top / QUARTER**below
        held_out = self._train([rate] * steps, LOOKS).held_out
        self._tried[below, steps] = Tried(rate, steps, min(held_out) if math.isfinite(held_out[-1]) else math.inf)
        self._left -= steps
