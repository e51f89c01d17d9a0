"""What the charts run over, from left to right: steps, epochs or time.

Everything in a log stands at a step. A ruler says where steps lie on the axis, and which step lies at a place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from trainhealth.series import FloatArray, IntArray, RunView
from trainhealth.tui.amounts import count, duration
from trainhealth.tui.axis import Tick, linear_ticks, nice_step, step_ticks

_TIMES = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)  # between ticks
_CELLS_A_TICK = 12
_HOUR, _DAY = 3600, 86400


class Across(StrEnum):
    """What an axis counts."""

    STEP = "step"
    EPOCH = "epoch"
    TIME = "time"  # seconds since the run began


@dataclass(frozen=True, eq=False)
class Ruler:
    """A rising broken line through (step, place); without knots, a step lies at its own number."""

    across: Across = Across.STEP
    steps: IntArray = field(default_factory=lambda: np.empty(0, np.int64))  # not decreasing
    places: FloatArray = field(default_factory=lambda: np.empty(0))  # not decreasing

    def place(self, steps: FloatArray | IntArray) -> FloatArray:
        """Return where steps lie; beyond the ends the line goes on as steeply as it ended."""
        wanted = np.asarray(steps, np.float64)
        if not len(self.steps):
            return wanted
        after = np.searchsorted(self.steps, np.ceil(wanted).astype(np.int64)).clip(1, len(self.steps) - 1)
        return _between(wanted, self.steps, self.places, after)

    def step_at(self, places: FloatArray) -> FloatArray:
        """Return the steps at places: the first one where several lie at the same."""
        wanted = np.asarray(places, np.float64)
        if not len(self.steps):
            return wanted
        after = np.searchsorted(self.places, wanted).clip(1, len(self.places) - 1)
        return _between(wanted, self.places, self.steps, after)

    def ticks(self, first: float, last: float, columns: int) -> list[Tick]:
        """Return labelled places from `first` to `last`, far enough apart for their labels in `columns` cells."""
        if self.across is Across.STEP:
            return step_ticks(math.ceil(first), math.floor(last), columns)
        most = max(columns // _CELLS_A_TICK, 2)
        if self.across is Across.EPOCH:
            return linear_ticks(first, last, most) if last > first else []
        if last <= first:
            return []
        apart = _time_between(last - first, most)
        begin, end = math.ceil(first / apart - 1e-9), math.floor(last / apart + 1e-9)
        return [Tick(k * apart, _time(k * apart, apart)) for k in range(begin, end + 1)]

    def label(self, step: float) -> str:
        """Return a step in words, in the unit of the axis."""
        place = float(self.place(np.array([step]))[0])
        if self.across is Across.EPOCH:
            return f"epoch {place:.2f}"
        return duration(place) if self.across is Across.TIME else f"step {count(round(step))}"


STEPS = Ruler()


def ruler(view: RunView, across: Across) -> Ruler:
    """Return the ruler of a run; that of steps where the log does not hold what another needs."""
    if across is Across.STEP or across not in axes_in(view):
        return Ruler()
    if across is Across.TIME:
        times = view.times
        return Ruler(across, times.steps, np.maximum.accumulate(times.values - times.values[0]))
    ends = {epoch.step: float(epoch.number + 1) for epoch in view.epochs}
    steps, numbers = np.array(list(ends), np.int64), np.array(list(ends.values()))
    first = int(view.times.steps[0]) if len(view.times) else 0
    if first < steps[0]:
        steps, numbers = np.append(first, steps), np.append(numbers[0] - 1, numbers)
    return Ruler(across, steps, np.maximum.accumulate(numbers))


def axes_in(view: RunView) -> tuple[Across, ...]:
    """Return the axes that a run can be shown over."""
    times = view.times
    timed = len(times) > 1 and times.values[-1] > times.values[0]
    steps = [epoch.step for epoch in view.epochs]
    begun = len(view.times) > 0 and bool(steps) and view.times.steps[0] < steps[0]
    ended = len(set(steps)) + begun >= 2 and steps == sorted(steps)
    return (Across.STEP, *([Across.EPOCH] if ended else []), *([Across.TIME] if timed else []))


def _time_between(span: float, most: int) -> float:
    """Return a time of which at most `most` fit into `span`: one that clocks have, where it is a second or more."""
    if span / most < 1.0:
        return nice_step(span, most)
    apart = next((time for time in _TIMES if span / time <= most), _TIMES[-1])
    return float(apart * max(math.ceil(span / apart / most), 1))


def _time(seconds: float, apart: float) -> str:
    """Return a time so exactly that its neighbours, `apart` from it, read differently."""
    if not seconds:
        return "0"
    if apart < 1.0:
        return f"{seconds:.{math.ceil(-math.log10(apart) - 1e-9)}f} s"
    if seconds < 120 or apart >= _HOUR or (apart >= 60 and seconds < _DAY):
        return duration(seconds)
    days, rest = divmod(round(seconds), _DAY)
    clock = f"{rest // _HOUR}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days} d {clock}" if days else clock


def _between(
    wanted: FloatArray, knots: FloatArray | IntArray, values: FloatArray | IntArray, after: IntArray
) -> FloatArray:
    before = after - 1
    width = knots[after] - knots[before]
    share = (wanted - knots[before]) / np.where(width > 0, width, 1)
    result: FloatArray = values[before] + share * (values[after] - values[before])
    return result
