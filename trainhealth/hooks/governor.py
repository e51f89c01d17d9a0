"""Decides which steps are sampled, so that watching stays within its budgets of time and disk."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

ALLOWANCE = 1.0  # seconds of overhead that the start of a run may cost: the initial state is half of the diagnosis
AFTER_SURPRISE = 3  # steps sampled at most after a surprise
HORIZON = 1_000_000  # steps over which the disk budget is spread


class Governor:
    """Chooses sampled steps from its own measured costs.

    Steps 0, 1, 2, 4, 8, … are always sampled. Beyond them a sample is taken when `interval` steps have passed and what
    has been spent, this sample included, stays below ``ALLOWANCE + overhead x elapsed time``. The disk budget is a
    share that grows with the logarithm of the step, so that early steps are dense and a million steps still fit.
    """

    def __init__(self, overhead: float, disk: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self.overhead = overhead
        self.disk = disk
        self.interval = 1  # in force: steps between samples
        self.spent = 0.0  # seconds, all of our own work
        self._clock = clock
        self._began = clock()
        self._sample_cost = 0.0  # seconds, moving mean
        self._sample_bytes = 0.0
        self._bytes = 0
        self._step_seconds = 0.0  # of a step without us, moving mean
        self._plain_cost = 0.0  # seconds of ours in a step that is not sampled, moving mean
        self._last_step_at = self._began
        self._spent_then = 0.0  # when the last step ended
        self._just_sampled = False
        self._last_sample = -1
        self._surprises = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._began

    def wants(self, step: int) -> bool:
        """Tell whether `step`, which is about to begin, should be sampled."""
        if step & (step - 1) == 0:  # 0 and the powers of two
            return True
        if self._surprises:
            self._surprises -= 1
            return self._affordable(step)
        return step - self._last_sample >= self.interval and self._affordable(step)

    def expects(self, step: int) -> bool:
        """Tell whether `step`, the one after the step that is about to begin, will probably be sampled."""
        if step & (step - 1) == 0:
            return True
        return step - self._last_sample >= self.interval and self._affordable(step)

    def affords(self, cost: float) -> bool:
        """Tell whether work of `cost` seconds may be done in every step: a tenth of the budget at most."""
        return cost <= 0.1 * self.overhead * self._step_seconds

    def surprise(self) -> None:
        """Something unusual happened (the first NaN): look at the next steps more closely."""
        self._surprises = AFTER_SURPRISE

    def step_finished(self) -> None:
        """A step has ended: learn how long steps take, and what they cost us where they are not sampled."""
        now = self._clock()
        ours = self.spent - self._spent_then
        self._step_seconds = _moved(self._step_seconds, max(now - self._last_step_at - ours, 0.0))
        if not self._just_sampled:
            self._plain_cost = _moved(self._plain_cost, ours)
        self._last_step_at, self._spent_then, self._just_sampled = now, self.spent, False

    def sampled(self, step: int, cost: float, size: int) -> None:
        """A sample of `step` cost `cost` seconds and `size` bytes: choose the interval anew."""
        first = self._last_sample < 0
        self._last_sample, self._just_sampled = step, True
        self._bytes += size
        # the first sample pays for lazy initialisation (kernels, imports): it says little about the next
        weight = 1.0 if first or self._sample_cost > 3 * cost else 0.1
        self._sample_cost += weight * (cost - self._sample_cost)
        self._sample_bytes += weight * (size - self._sample_bytes)
        # what plain steps cost comes out of the same budget; a quarter of it is for samples in any case
        step_seconds = max(self._step_seconds, 1e-6)
        share = max(self.overhead - self._plain_cost / step_seconds, self.overhead / 4)
        steady = math.ceil(self._sample_cost / (share * step_seconds))
        # half of the allowance is for looking closely at the beginning; then the steady interval comes in force
        self.interval = max(1, steady if self.spent > ALLOWANCE / 2 else min(steady, 1 + step // 64))

    def _affordable(self, step: int) -> bool:
        time_left = ALLOWANCE + self.overhead * self.elapsed - self.spent
        share = math.log1p(step) / math.log1p(HORIZON)
        return self._sample_cost <= time_left and self._bytes + self._sample_bytes <= self.disk * share


def _moved(mean: float, value: float) -> float:
    """Return the moving mean after `value`, which a pause (an evaluation, a checkpoint) hardly moves."""
    return mean + 0.05 * (min(value, 3 * mean) - mean) if mean else value
