"""Learning-rate schedules, read from the rates that a log holds: their kind by name, and where they changed course.

What counts is the curve of the rate in force at every logged step (`RunView.learning_rate`). A log may hold it at every
step, when it changes, or once an epoch; then the same schedule has fewer points, and its shape is told from those.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np

from trainhealth import curves
from trainhealth.decay_shapes import nearest_shape
from trainhealth.series import FloatArray, IntArray, Series

SUDDEN = 0.75  # a rate that falls below this share of itself at once has been cut; decays by the epoch are finer
_RISEN = 1.5  # times the lowest rate of a cycle: what rises by more has been restarted
_WARMED = 1.05  # times the first rate: what rises by less was rounded
_EQUAL = 1e-6  # relative difference below which two logged rates are one


class Kind(Enum):
    """What the rate does from its peak on; the value is what people call it."""

    UNKNOWN = "unknown"  # no rate is logged
    RISING = "warm-up"  # it has not been anything else yet
    CONSTANT = "constant"
    STEP = "step decay"
    DROPS = "drops at uneven distances"  # as a scheduler makes that waits for plateaus
    LINEAR = "linear decay"
    COSINE = "cosine decay"
    EXPONENTIAL = "exponential decay"
    INVERSE_TIME = "1/t decay"
    INVERSE_SQUARE_ROOT = "inverse-square-root decay"
    ONE_CYCLE = "one-cycle"
    OTHER = "decay"  # it falls, in a way that has no name here or too few points to tell


class Decay(NamedTuple):
    """A sudden cut of the rate: the first logged step at the new rate, the rates on both sides."""

    step: int
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is known of a schedule.

    `peak` is the highest rate, first in force at `peak_step`; `warm_up_end` the step at which the first rise had ended
    (None: it did not begin with one); `decays` the sudden cuts, `restarts` the steps at which the rate began to rise
    again; `last` the rate at the end. Without a logged rate, `kind` is UNKNOWN and numbers are NaN.
    """

    kind: Kind
    peak: float
    peak_step: int
    warm_up_end: int | None
    decays: tuple[Decay, ...]
    restarts: tuple[int, ...]
    last: float

    @property
    def name(self) -> str:
        """The schedule in words, such as "warm-up, then cosine decay with 3 restarts"."""
        words = self.kind.value
        if self.warm_up_end is not None and self.kind not in (Kind.RISING, Kind.ONE_CYCLE):
            words = f"warm-up, then {words}"
        if self.restarts:
            words += f" with {len(self.restarts)} restart{'s' * (len(self.restarts) > 1)}"
        return words

    def rises_between(self, first_step: int, last_step: int) -> bool:
        """Tell whether the rate is warmed up or restarted somewhere from `first_step` to `last_step`."""
        warming = self.warm_up_end is not None and first_step < self.warm_up_end
        return warming or any(first_step <= step <= last_step for step in self.restarts)


class _Knots(NamedTuple):
    """The points at which the rate changes: index into the log, step, new rate."""

    index: IntArray
    steps: IntArray
    rates: FloatArray


def recognise(rates: Series) -> Schedule:
    """Return the schedule behind `rates`, the rate in force at every logged step, in any order and with gaps."""
    logged = curves.clean(rates)
    logged = Series(logged.name, logged.steps[logged.values >= 0], logged.values[logged.values >= 0])
    if not len(logged):
        return Schedule(Kind.UNKNOWN, float("nan"), 0, None, (), (), float("nan"))
    knots = _knots(logged)
    turns = _turns(knots.rates)
    top = turns[1] if knots.rates[turns[1]] > knots.rates[0] else 0
    warmed = top > 0 and knots.rates[top] > _WARMED * knots.rates[0]
    troughs = turns[2::2] if top else turns[1::2]
    falling = slice(top, (troughs[0] if len(troughs) else top) + 1)
    decays = _sudden(knots, len(logged))
    restarts = tuple(int(knots.steps[trough + 1]) for trough in troughs if trough + 1 < len(knots.rates))
    kind = _kind(knots, falling, len(logged))
    if warmed and top == len(knots.rates) - 1 and knots.index[top] == len(logged) - 1:
        kind = Kind.RISING
    elif warmed and not restarts and _is_one_cycle(knots, top, logged.last_step):
        kind = Kind.ONE_CYCLE
    peak = int(np.argmax(knots.rates))
    return Schedule(
        kind,
        float(knots.rates[peak]),
        int(knots.steps[peak]),
        int(knots.steps[top]) if warmed else None,
        decays,
        restarts,
        float(knots.rates[-1]),
    )


def _knots(logged: Series) -> _Knots:
    values = logged.values
    changed = np.abs(values[1:] - values[:-1]) > _EQUAL * np.maximum(values[1:], values[:-1])
    index = np.concatenate([[0], np.flatnonzero(changed) + 1])
    return _Knots(index, logged.steps[index], values[index])


def _turns(rates: FloatArray) -> list[int]:
    """Return where the rate turns: the first knot, then ends of rises and falls in turn, the last knot at the end.

    A rise within a fall that is no restart (rounding; less than half again the rate) is none.
    """
    turns = [0]
    rising = len(rates) > 1 and rates[1] > rates[0]
    for i in _extremes(rates):
        start = rates[turns[-1]]
        if rising == (rates[i] > start) or len(turns) == 1:
            turns.append(i)
    return turns
