"""Learning-rate schedules, read from the rates that a log holds: their kind by name, and where they changed course.

What counts is the curve of the rate in force at every logged step (`RunView.learning_rate`). A log may hold it at every
step, when it changes, or once an epoch; then the same schedule has fewer points, and its shape is told from those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trainhealth import curves
from trainhealth.rate_shapes import Kind, rises_as_cosine, shape_of
from trainhealth.series import FloatArray, IntArray, Series, once

SUDDEN = 0.75  # a rate that falls below this share of itself at once has been cut; decays by the epoch are finer
_RISEN = 1.5  # times the lowest rate since the peak: what rises by more has been restarted
_WARMED = 1.05  # times the first rate: what rises by less has not been warmed up
_EQUAL = 1e-6  # relative difference below which two logged rates are one
_COMPARED = 4096  # places all over a log that are compared as well: from step to step a long schedule changes by less
_EVEN = 0.2  # relative difference of distances between cuts that are still even: epochs differ by a few steps
_GRADUAL = 0.2  # of a cycle: a rise that takes more is one half of a wave, and no restart


class Decay(NamedTuple):
    """A sudden cut of the rate: the first logged step at the new rate, and the rates on both sides."""

    step: int
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is known of a schedule.

    `peak` is the highest rate, first in force at `peak_step`; `warm_up_end` the step at which the first rise had ended
    (None: it did not begin with one); `decays` the sudden cuts; `restarts` the steps at which the rate began to rise
    again; `last` the rate at the end. Without a logged rate, `kind` is UNKNOWN and the rates are NaN.
    """

    kind: Kind
    peak: float = float("nan")
    peak_step: int = 0
    warm_up_end: int | None = None
    decays: tuple[Decay, ...] = ()
    restarts: tuple[int, ...] = ()
    last: float = float("nan")

    @property
    def name(self) -> str:
        """The schedule in words, such as "warm-up, then cosine decay with 3 restarts"."""
        words = self.kind.value
        if self.warm_up_end is not None and self.kind not in (Kind.RISING, Kind.ONE_CYCLE, Kind.CYCLIC):
            words = f"warm-up, then {words}"
        if self.kind is Kind.CYCLIC:
            words += f", down and up {len(self.restarts)} time{'s' * (len(self.restarts) > 1)}"
        elif self.restarts:
            words += f" with {len(self.restarts)} restart{'s' * (len(self.restarts) > 1)}"
        return words

    def rises_between(self, first_step: int, last_step: int) -> bool:
        """Tell whether the rate is warmed up or restarted somewhere from `first_step` to `last_step`."""
        warming = self.warm_up_end is not None and first_step < self.warm_up_end
        return warming or any(first_step <= step <= last_step for step in self.restarts)


class _Knots(NamedTuple):
    """The points at which the rate changes: their position in the log, step, and new rate."""

    positions: IntArray
    steps: IntArray
    rates: FloatArray

    def part(self, first: int, last: int) -> _Knots:
        """Return the knots from `first` to `last`."""
        chosen = slice(first, last + 1)
        return _Knots(self.positions[chosen], self.steps[chosen], self.rates[chosen])


@once
def recognise(rates: Series) -> Schedule:
    """Return the schedule behind `rates`, the rate in force at every logged step, in any order and with gaps."""
    logged = curves.clean(rates)
    if not (known := logged.values >= 0).all():
        logged = Series(logged.name, logged.steps[known], logged.values[known])
    if not len(logged):
        return Schedule(Kind.UNKNOWN)
    knots = _knots(logged)
    tops, troughs = _turns(knots.rates)
    top = tops[0]
    warmed = bool(knots.rates[top] > _WARMED * knots.rates[0])
    fall = knots.part(top, troughs[0])
    last_index = int(knots.positions[troughs[0] + 1]) if troughs[0] + 1 < len(knots.rates) else len(logged)
    if warmed and _still_rising(knots, top, len(logged)):
        kind = Kind.RISING
    elif warmed and len(tops) == 1 and _is_one_cycle(knots, top, logged.last_step):
        kind = Kind.ONE_CYCLE
    elif _is_cyclic(knots, tops, troughs):
        kind = Kind.CYCLIC
    else:
        kind = _kind(fall, last_index, logged)
    peak = int(np.argmax(knots.rates))
    return Schedule(
        kind,
        float(knots.rates[peak]),
        int(knots.steps[peak]),
        int(knots.steps[top]) if warmed else None,
        _cuts(knots) if kind in (Kind.STEP, Kind.DROPS, Kind.OTHER) else (),
        tuple(int(knots.steps[trough + 1]) for trough in troughs[: len(tops) - 1]),
        float(knots.rates[-1]),
    )


def _knots(logged: Series) -> _Knots:
    values = logged.values
    moved = np.flatnonzero(values[1:] != values[:-1]) + 1  # few in a long run, where most schedules hold the rate
    index = np.concatenate([[0], moved[_differing(values[moved - 1], values[moved])]])
    if len(index) <= len(moved):
        chosen = np.zeros(len(values), np.bool_)
        chosen[index] = chosen[np.linspace(0, len(values) - 1, _COMPARED).astype(np.int64)] = True
        places = np.flatnonzero(chosen)
        chosen[:] = False
        chosen[index] = chosen[places[1:][_differing(values[places[:-1]], values[places[1:]])]] = True
        index = np.flatnonzero(chosen)
    return _Knots(index, logged.steps[index], values[index])


def _differing(before: FloatArray, after: FloatArray) -> IntArray:
    """Return the indices of the rates that differ by more than rounding."""
    return np.flatnonzero(np.abs(after - before) > _EQUAL * np.maximum(after, before))


def _turns(rates: FloatArray) -> tuple[list[int], list[int]]:
    """Return the indices of tops and of the troughs that follow them (a rate that falls to its end: the last index).

    A top is where the rate stops rising, for good or to fall; a rise after a fall counts if it is by half at least.
    """
    direction = np.sign(np.diff(rates))
    turning = np.flatnonzero(direction[1:] != direction[:-1]) + 1
    tops, troughs = [], []
    top = trough = 0
    rising = True
    for i in [*turning.tolist(), len(rates) - 1]:
        if rising and rates[i] >= rates[top]:
            top = i
        elif rising:
            tops.append(top)
            trough, rising = i, False
        elif rates[i] > _RISEN * rates[trough]:
            troughs.append(trough)
            top, rising = i, True
        elif rates[i] < rates[trough]:
            trough = i
    if rising:
        tops.append(top)
        trough = top
    troughs.append(len(rates) - 1 if not rising else trough)
    return tops, troughs


def _still_rising(knots: _Knots, top: int, count: int) -> bool:
    """Tell whether the rate has but risen, and stands at its last value no longer than at those before."""
    dwells = np.diff(np.append(knots.positions, count))
    return top == len(knots.rates) - 1 and bool(dwells[-1] <= np.median(dwells[:-1]))


def _cuts(knots: _Knots) -> tuple[Decay, ...]:
    """Return the sudden cuts: the rate stood for a while, and then fell at once."""
    before, after = knots.rates[:-1], knots.rates[1:]
    stood = np.diff(knots.positions) > 1
    cut = np.flatnonzero((after < SUDDEN * before) & stood) + 1
    return tuple(Decay(int(knots.steps[i]), float(knots.rates[i - 1]), float(knots.rates[i])) for i in cut)


def _kind(fall: _Knots, last_index: int, logged: Series) -> Kind:
    """Return what a fall is called; `last_index` is that of the log at which it ended."""
    count = len(fall.rates) - 1
    if not count:
        return Kind.CONSTANT
    factors = fall.rates[1:] / fall.rates[:-1]
    dwells = np.diff(np.append(fall.positions, last_index))
    # a log that is sparse beside the cuts may show some of their rates once only
    if (factors < SUDDEN).all() and ((dwells[:-1] > 1).all() or (dwells[1:-1] > 1).any()):
        one_factor = bool(np.ptp(factors) <= 0.1 * factors.max())
        return Kind.DROPS if count >= 3 and one_factor and not _are_even(fall, logged) else Kind.STEP
    steps = _without_hold(fall, dwells, logged)
    kind = shape_of(steps, fall.rates)
    # where a floor ended the fall, its last step was shorter
    return shape_of(steps[:-1], fall.rates[:-1]) if kind is Kind.OTHER and dwells[-1] > 1 else kind


def _are_even(fall: _Knots, logged: Series) -> bool:
    """Tell whether cuts are evenly apart, as far as the log shows when they were: each between two of its steps."""
    distances = np.diff(fall.steps).astype(np.float64)
    gaps = fall.steps[1:] - logged.steps[fall.positions[1:] - 1]
    late = np.concatenate([[0], gaps - 1])  # the peak is in force from its first step on
    usual = np.median(distances)
    return bool((np.abs(distances - usual) <= np.maximum(_EVEN * usual, late[1:] + late[:-1])).all())


def _without_hold(fall: _Knots, dwells: IntArray, logged: Series) -> IntArray:
    """Return the steps of a fall's rates, from where it began: the rate may have stood at its peak before.

    Of a staircase that is where a stair of the usual length would have begun; of a smooth fall the last step at the
    peak that is logged.
    """
    distances = np.diff(fall.steps)
    if np.median(dwells[1:]) > 1:
        usual = int(np.median(distances[1:])) if len(distances) > 1 else int(distances[0])
        start = max(int(fall.steps[0]), int(fall.steps[1]) - max(usual, 1))
    else:
        start = int(logged.steps[fall.positions[1] - 1])
    return np.concatenate([[start], fall.steps[1:]])


def _is_cyclic(knots: _Knots, tops: list[int], troughs: list[int]) -> bool:
    """Tell whether most rises are as gradual as the falls before them: a wave (Smith 2017), and no warm restarts."""
    slow = []
    for before, trough, top in zip(tops, troughs, tops[1:], strict=False):
        rise, cycle = (knots.steps[top] - knots.steps[index] for index in (trough, before))
        slow.append(bool(rise > _GRADUAL * cycle) and top - trough > 1)
    return 2 * sum(slow) > len(slow)


def _is_one_cycle(knots: _Knots, top: int, last_step: int) -> bool:
    """Tell whether a rise and the fall after it are a one-cycle policy: a slow rise, and an end far below the start.

    Smith and Topin 2018 let the rate rise for nearly half of the run, and end orders of magnitude below its start;
    PyTorch's `OneCycleLR` rises over 30 % of the run, as a cosine.
    """
    first, end = float(knots.rates[0]), float(knots.rates[-1])
    if top == len(knots.rates) - 1:
        return False
    rise = knots.part(0, top)
    if rises_as_cosine(rise.steps, rise.rates):
        return True
    span = max(last_step - int(knots.steps[0]), 1)
    return first > 0 and end < 0.1 * first and (int(knots.steps[top]) - int(knots.steps[0])) > 0.2 * span
