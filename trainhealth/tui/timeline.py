"""When each step of a run happened, on the clock of a replay."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trainhealth.series import FloatArray, IntArray, RunView

LONGEST_SILENCE = 60.0  # seconds: a run that rested for longer (a night before it was resumed) rests so long here
_SHORTEST = 1e-6  # seconds: no two steps happened at once
UNDATED = 60.0  # seconds that a log takes which says of no step when it was
SPEEDS = tuple(sorted(round(digit * 10.0**power, 3) for power in range(-2, 6) for digit in (1, 2, 5)))


@dataclass(frozen=True, eq=False)
class Timeline:
    """The steps at which there is something to see, and when each was finished, in seconds since the first."""

    steps: IntArray  # [n], ascending
    seconds: FloatArray  # [n], strictly increasing, whatever the clock of the machine did
    dated: bool  # whether the log says when its steps were

    @property
    def length(self) -> float:
        """Seconds from the first step to the last."""
        return float(self.seconds[-1]) if len(self.seconds) else 0.0

    def index(self, second: float) -> int:
        """Return the index of the newest step at a time; 0 before the first."""
        return max(int(np.searchsorted(self.seconds, second, side="right")) - 1, 0)

    def index_of(self, step: int) -> int:
        """Return the index of a step, or of the last one before it; 0 before the first."""
        return max(int(np.searchsorted(self.steps, step, side="right")) - 1, 0)

    def handy_speed(self) -> float:
        """Return the speed at which the whole takes about half a minute to a minute."""
        return next((speed for speed in SPEEDS if speed * UNDATED >= self.length), SPEEDS[-1])


def timeline(view: RunView) -> Timeline:
    """Return the timeline of a run; where the log has no steps, or does not date them, they are evenly apart."""
    steps, times = view.times.steps, view.times.values
    if not len(steps):
        every = [series.steps for series in view.scalars.values()]
        steps = np.unique(np.concatenate(every)) if every else np.empty(0, np.int64)
        times = np.zeros(len(steps))
    pauses = np.diff(times)
    if not (pauses > 0).any():
        return Timeline(steps, np.linspace(0.0, UNDATED, len(steps)), dated=False)
    seconds: FloatArray = np.concatenate([[0.0], np.cumsum(np.nan_to_num(pauses).clip(_SHORTEST, LONGEST_SILENCE))])
    return Timeline(steps, seconds, dated=True)


def next_speed(speed: float, by: int) -> float:
    """Return the next of the usual speeds above (or, `by` -1, below) `speed`; at the ends it stays."""
    if by > 0:
        return next((usual for usual in SPEEDS if usual > speed and not math.isclose(usual, speed)), speed)
    return next((usual for usual in reversed(SPEEDS) if usual < speed and not math.isclose(usual, speed)), speed)
