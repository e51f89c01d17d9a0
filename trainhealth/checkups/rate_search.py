"""The search for a learning rate: a range test for the bounds, then short trainings from one start for the choice.

A range test alone misleads. Each of its losses is the work of all rates before it, so that a turn shows late (with
momentum 0.9 by ten steps and more), and most of all for adaptive optimizers, whose averages are still filling; and
what falls fastest within one step is not what gets furthest. So it only says where rates become too high. The choice
is made by successive halving (Jamieson and Talwalkar 2016): trainings with constant rates from the same start, on the
same batches, the better ones again and for longer, up to the length that the run is planned for, judged on batches
that they have not seen. What time is left repeats the last trainings in another order, because one training's loss
differs from that of its repetition by more than neighbouring rates do: by so much that the best rate of ten for one
order is within 5 % of the best for another in three cases of four. Where the order is the one that the user's training
will have, it counts first, and the repetitions choose among the rates that are equally good in it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

RAMP_LOW, RAMP_HIGH = 1e-7, 1e2
SMOOTHED = 5  # steps of the range test that are averaged
LASTING = 10  # steps that a rise must last, or to the end
NOTABLE = 0.05  # of the loss at the start: less of a rise may be noise
MOVED = 0.02  # of it: a training whose held-out loss falls by less has not moved
LEAST_LOOKS, MOST_LOOKS = 4, 32  # times that a training is measured; the best one counts, as in early stopping
QUARTERS = 4  # rates are tried at quarters of decades
LEAST_LENGTH = 20  # steps
SPREAD = range(1, -12, -2)  # quarters of decades from the top, of the first rung; RMSprop may survive one above it
HALVING = 6  # trainings as long as the longest: seven of a third, and three or four of them
AT_LENGTH = 16  # of them, with the best ones again: with steps for so many, none is short
REPEATED, REPEATS = 4, 4  # the best rates of the last rung, and how often again
SETTLING = 30  # steps: 0.9^30 of what batch norm's running averages began with is 4 %
EXTENSIONS = 4  # rates tried beyond an edge at which the best one lies
ALIKE = 0.02  # of the lowest loss: rates this near in the order that the run will have are equally good


@dataclass(frozen=True, slots=True)
class Course:
    """What a short training has shown. It ends early where the loss breaks."""

    losses: tuple[float, ...]  # of each step's batch, before its update
    held_out: tuple[float, ...] = ()  # at evenly spaced steps; infinite from where it broke


class Train(Protocol):
    """Trains from one start, on the same batches in the same order, whenever it is called."""

    def __call__(self, rates: Sequence[float], looks: int = 0, repeat: int = 0) -> Course:
        """Train one step with each of `rates`, and measure `looks` times on held-out batches.

        Another `repeat` takes the batches in another order, and holds others out where that can be chosen.
        """


@dataclass(frozen=True, slots=True)
class Planned:
    """The run for which a rate is looked for."""

    steps: int
    epoch: int  # steps: trainings are measured after each, as the run will be
    order_known: bool = False  # whether a training that is no repetition has the order that the run will have


@dataclass(frozen=True, slots=True)
class Ramp:
    """A range test: the loss while the rate rises at every step."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    top: float  # the rate at which the loss had risen above that of the start; the last one, if it never had


@dataclass(frozen=True, slots=True)
class Tried:
    """One constant rate: the lowest held-out loss within so many steps, by repetition; infinite if it broke."""

    rate: float
    steps: int
    losses: tuple[float, ...]

    @property
    def loss(self) -> float:
        """The mean over the repetitions."""
        return statistics.fmean(self.losses)


@dataclass(frozen=True, slots=True)
class Search:
    """What the search has found."""

    start: float  # held-out loss before the first step
    tried: tuple[Tried, ...]  # in the order in which they were tried
    suggested: Tried | None  # None where no training got anywhere
    breaks: float | None  # the lowest rate above it that got less than half as far, if one was tried
    order_known: bool  # whether the first training with each rate had the order of the run itself


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


def search(train: Train, top: float, left: Callable[[], int], planned: Planned) -> Search:
    """Return the rate that trains best below `top` in the planned run.

    `left` tells how many steps of training may still be made. The longest trainings are as long as the run where that
    leaves steps for all of them.
    """
    rungs = _Rungs(train, left, planned)
    longest = longest_training(planned.steps, left())
    shorter = longest if longest * AT_LENGTH <= left() else max(longest // 3, LEAST_LENGTH)
    highest = math.floor(QUARTERS * math.log10(top))
    rung = rungs.run([highest + below for below in SPREAD], shorter, 2)
    best = rungs.best(rung, shorter)
    if best is None:  # nothing has moved yet: all again, for longer
        rung = rungs.run(rungs.unbroken(rung), longest, 2)
    else:
        rung = rungs.run(range(best - 1, best + 2), longest, 1)
    rungs.repeat(longest)
    return rungs.found(longest)


def longest_training(planned: int, left: int) -> int:
    """Return how long the longest trainings of a search are, in steps."""
    return max(min(planned, left // HALVING), LEAST_LENGTH)


class _Rungs:
    """The rungs of one search. Rates are counted in quarters of decades: 0 is a rate of 1."""

    def __init__(self, train: Train, left: Callable[[], int], planned: Planned) -> None:
        self._train, self._left, self._planned = train, left, planned
        self._tried: dict[tuple[int, int], Tried] = {}  # by rate and steps
        self._starts = [self._settled(0)]  # by repetition

    def run(self, rates: Iterable[int], steps: int, spacing: int) -> list[int]:
        """Try these rates for so many steps, and further ones beyond an edge that is best; return all of them."""
        rung = sorted(rates, reverse=True)
        for one in rung:
            if (one, steps) not in self._tried:  # the rung before may have been as long
                self._try(one, steps)
        for _ in range(EXTENSIONS):
            losses = [self._tried[one, steps].loss for one in rung]
            lowest = min(losses, default=math.inf)
            if not rung or self._left() < steps:
                break
            if losses[-1] == lowest:  # at the lower edge, or all of them broke
                further = rung[-1] - spacing
            elif losses[0] == lowest:
                further = rung[0] + spacing
            else:
                break
            rung = sorted([*rung, further], reverse=True)
            if (further, steps) not in self._tried:
                self._try(further, steps)
        return rung

    def best(self, rung: Iterable[int], steps: int) -> int | None:
        """Return the rate that got furthest, of those tried most often; None if none has moved."""
        tried = {one: self._tried[one, steps] for one in rung}
        often = max((len(one.losses) for one in tried.values()), default=0)
        rated = [one for one in tried if len(tried[one].losses) == often]
        best = min(rated, key=lambda one: tried[one].loss, default=None)
        start = self._start(often)
        if best is None or not start - tried[best].loss >= MOVED * abs(start):
            return None
        return best

    def unbroken(self, rung: Sequence[int]) -> list[int]:
        """Return those of the rates at which no training got notably worse than the start."""
        worst = {one: max(tried.loss for (at, _), tried in self._tried.items() if at == one) for one in rung}
        return [one for one, loss in worst.items() if loss <= self._starts[0] + NOTABLE * abs(self._starts[0])]

    def repeat(self, steps: int) -> None:
        """Try the best rates of this length again, all of them equally often, and the neighbours of the best one."""
        rates = sorted(self._to_choose_from(steps), key=lambda one: self._tried[one, steps].loss)[:REPEATED]
        for repeat in range(1, REPEATS + 1):
            if not rates or self._left() < len(rates) * steps:
                return
            self._starts.append(self._settled(repeat))
            for one in rates:
                self._try(one, steps, repeat)
        if self._planned.order_known:
            return  # the neighbours are not to be chosen from
        for _ in range(EXTENSIONS):
            best = self.best(rates, steps)
            missing = [] if best is None else [one for one in (best - 1, best + 1) if one not in rates]
            if not missing or self._left() < (REPEATS + 1) * steps:
                return
            rates.append(missing[0])
            done = len(self._tried[missing[0], steps].losses) if (missing[0], steps) in self._tried else 0
            for repeat in range(done, REPEATS + 1):
                self._try(missing[0], steps, repeat)

    def found(self, steps: int) -> Search:
        """Return the result: the best of the rates tried for so many steps."""
        tried = tuple(self._tried.values())
        rates = self._to_choose_from(steps)
        best = self.best(rates, steps)
        if best is None:
            return Search(self._starts[0], tried, None, None, self._planned.order_known)
        suggested = self._tried[self._middle(best, rates, steps), steps]
        start = self._start(len(suggested.losses))
        furthest = {one.steps: min(other.loss for other in tried if other.steps == one.steps) for one in tried}
        above = [one for one in tried if one.rate > suggested.rate]
        failed = [one.rate for one in above if one.loss > (start + furthest[one.steps]) / 2]
        return Search(start, tried, suggested, min(failed, default=None), self._planned.order_known)

    def _to_choose_from(self, steps: int) -> list[int]:
        """Return the rates that broke in no order; where one is the run's own, those that are as good as any in it."""
        at_length = {one: tried for (one, length), tried in self._tried.items() if length == steps}
        lasting = {one: tried.losses[0] for one, tried in at_length.items() if math.isfinite(tried.loss)}
        if not self._planned.order_known or not lasting:
            return list(lasting)
        lowest = min(lasting.values())
        return [one for one, loss in lasting.items() if loss - lowest <= ALIKE * abs(lowest)]

    def _middle(self, best: int, rates: Collection[int], steps: int) -> int:
        """Return the middle of the neighbouring rates that can't be told from the best one.

        They are those whose loss is higher by no more than the standard error of that difference over the
        repetitions: the bottom is flat, and which of them is the lowest is chance. Of two it is the higher one.
        """
        lowest = self._tried[best, steps].losses
        alike = [best]
        for direction in (1, -1):
            one = best + direction
            while len(lowest) > 1 and one in rates:
                losses = self._tried[one, steps].losses
                if len(losses) < len(lowest):
                    break
                worse = [loss - low for loss, low in zip(losses, lowest, strict=True)]
                if statistics.fmean(worse) > statistics.stdev(worse) / math.sqrt(len(worse)):
                    break
                alike.append(one)
                one += direction
        return sorted(alike)[len(alike) // 2]

    def _start(self, often: int) -> float:
        return statistics.fmean(self._starts[: max(often, 1)])

    def _settled(self, repeat: int) -> float:
        """Return the loss at rate 0, so that the running averages of batch norm have settled, which is no progress."""
        return self._train([0.0] * SETTLING, 1, repeat).held_out[0]

    def _try(self, quarter: int, steps: int, repeat: int = 0) -> None:
        rate = float(f"{10 ** (quarter / QUARTERS):.2g}")  # as it is told: trainings differ by its third digit
        looks = min(max(steps // self._planned.epoch, LEAST_LOOKS), MOST_LOOKS)
        held_out = self._train([rate] * steps, looks, repeat).held_out
        before = self._tried[quarter, steps].losses if repeat else ()
        loss = min(held_out) if math.isfinite(held_out[-1]) else math.inf
        self._tried[quarter, steps] = Tried(rate, steps, (*before, loss))
