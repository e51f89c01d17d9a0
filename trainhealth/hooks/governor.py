"""Decides which steps are sampled, so that watching stays within its budgets of time and disk."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

ALLOWANCE = 1.0  # seconds of overhead that the start of a run may cost: the initial state is half of the diagnosis
AFTER_SURPRISE = 3  # steps sampled at most after a surprise
HORIZON = 1_000_000  # steps over which the disk budget is spread

# Seconds that a step which is not sampled costs and no clock of ours can see: the dispatch of hooks, torch's slow path
# for a module with hooks, the caches that are empty when our code runs and that it empties for others. The longer a
# step, the less is left of them. Measured in real loops of 0.4 and 10 ms (the README of the benchmarks has a table).
UNSEEN = 1.2e-5
UNSEEN_SHARE = 0.006  # of the step besides …
UNSEEN_AT_MOST = 7e-5  # … together
HOOKED = 3e-5  # more, while the models' root hooks are on: what they cost each forward
AFTERMATH = 1.05  # what a sample costs, over what it costs while it lasts: the next steps find their caches empty
DEAREST_WAIT = 1.5  # what a sample may count at most for the CPU time in it, over the time by the clock
PAUSE = 2.0  # steps this many times as long as usual hold a pause (an evaluation, a checkpoint), …
PAUSES = 4  # … unless so many come in a row: then steps have become longer
LONGEST = 256  # steps of a stretch of plain steps: after it the account is made
LEAST = 0.15  # share of the budget that is for samples however much plain steps cost


class Governor:
    """Chooses sampled steps from its own measured costs.

    Steps 0, 1, 2, 4, 8, … are always sampled, as long as the disk budget is not used up. The beginning is dense, until
    half of `ALLOWANCE` is spent (a little more where the very first sample, which loads what is loaded late, has taken
    most of that). From there on every step earns its share of the budget, less what it cost itself, and a sample is
    taken when all before it have been paid: powers of two are not waited for, and are paid afterwards. So no window of
    time can cost more than its share and one sample (a few after a surprise, or where the window begins early in the
    run).

    What a sample costs is measured twice: by what our own code takes, and by how much longer sampled steps are than the
    others, which counts also what happens around our code. The larger of the two is held against the budget.

    The disk budget is a share that grows with the logarithm of the step, so that early steps are dense and a million
    steps still fit.
    """

    def __init__(
        self,
        overhead: float,
        disk: float,
        clock: Callable[[], float] = time.perf_counter,
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self.overhead = overhead
        self.disk = disk
        self.interval = 1  # in force: steps between samples
        self.spent = 0.0  # seconds of our own work, as far as our own code can see them
        self.cost = 0.0  # seconds that watching has cost, with what only shows in the length of steps
        self.thinned_by_disk = False
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._began = clock()
        self._steady = False  # the beginning is over
        self._start = ALLOWANCE / 2  # seconds that the dense beginning may cost
        self._balance = 0.0  # seconds that may be spent on samples; negative while the last one is not yet paid
        self._sampling = False  # the step under way is sampled
        self._eve = False  # the step after it will be
        self._sample_cost = 0.0  # seconds, moving mean
        self._sample_extra = 0.0  # seconds by which sampled steps are longer, moving mean
        self._samples = 0
        self._written_cost = 0.0  # of the newest sample, when it was written
        self._completion = 1.0  # what a sample costs, over that
        self._next = 0  # step, while the beginning lasts
        self._sample_bytes = 0.0
        self._bytes = 0
        self._bare_seconds = 0.0  # of a step without us and without pauses, moving mean
        self._plain_seconds = 0.0  # of a step that is not sampled, moving mean
        self._plain_cpu = 0.0  # seconds in it in which the thread was busy, moving mean
        self._cpu_at_begin = 0.0  # of the sampled step under way
        self._plain_cost = 0.0  # seconds of ours in it, moving mean
        self._long_steps = 0  # in a row
        self._last_step_at = self._began
        self._spent_then = 0.0  # when the last step ended
        self._surprises = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._began

    @property
    def share(self) -> float:
        """What watching has cost so far, as a share of the time that training took without it."""
        return self.cost / max(self.elapsed - self.cost, 1e-9)

    @property
    def starting(self) -> bool:
        """Whether the beginning is not yet over, which the allowance pays for."""
        return not self._steady

    @property
    def sample_cost(self) -> float:
        """Seconds that a sample costs, all in all."""
        return AFTERMATH * max(self._sample_cost, self._sample_extra)

    def wants(self, step: int) -> bool:
        """Tell whether `step`, which is about to begin, should be sampled."""
        self._sampling, self._eve = self._eve or self._chooses(step), False
        if self._sampling:
            self._cpu_at_begin = self._cpu_clock()
        return self._sampling

    def expects(self, step: int) -> bool:
        """Tell whether `step`, the one after the step that is about to begin, will be sampled.

        A yes is a promise: what is done because of it is a part of what the sample costs.
        """
        self._eve = self._is_fixed(step) or self._due(step, self._earned(self._bare_seconds))
        return self._eve

    def affords(self, cost: float) -> bool:
        """Tell whether work of `cost` seconds may be done in every step: a tenth of the budget at most."""
        return cost <= 0.1 * self.overhead * self._bare_seconds

    @property
    def dearest_write(self) -> float:
        """Seconds that writing a record may take in every step: a quarter of the budget, once it is in force."""
        return 0.25 * self.overhead * self._bare_seconds if self._steady else math.inf

    @property
    def longest_step(self) -> float:
        """Seconds beyond which a plain step holds a pause."""
        return PAUSE * self._plain_seconds or math.inf

    def surprise(self) -> None:
        """Something unusual happened (the first NaN): look at the next steps more closely."""
        self._surprises = AFTER_SURPRISE

    def step_finished(self, following: int) -> None:
        """A step has ended and `following` is the next: learn what it took and cost, and let it earn its share."""
        now = self._clock()
        seconds, seen = now - self._last_step_at, self.spent - self._spent_then
        self._last_step_at, self._spent_then = now, self.spent
        owed, cost = 0.0, seen + unseen(self._bare_seconds, hooked=True)
        if self._sampling:
            cost = owed = self._sampled_step(seconds, seen, following)
        elif self._eve:
            owed = cost
        elif not self._holds_pause(seconds):
            self._plain_cost = _moved(self._plain_cost, cost)
            self._plain_seconds = _moved(self._plain_seconds, seconds)
            self._bare_seconds = _moved(self._bare_seconds, max(seconds - cost, 0.0))
        self.cost += cost
        if self._steady:
            # a pause earns no more than another step, and what was not spent (the disk's share) is not saved up
            self._balance = min(self._balance + self._earned(self._bare_seconds) - owed, 0.0)
        elif self.cost > self._start:
            self._steady, self._balance = True, -self.sample_cost  # from here on the next one is paid in advance

    def stretch(self, step: int, *, samples: bool = True) -> int:
        """Return how many steps, from `step` on, are certainly neither sampled nor the eve of a sampled step.

        Without `samples` none ever is.
        """
        if not samples:
            return LONGEST
        if not self._steady or self._surprises or self._eve or self.overhead >= 1 or _always(step):
            return 0
        length = min(LONGEST, (1 << step.bit_length()) - 1 - step)  # up to the eve of a power of two
        earned = self._earned(self._bare_seconds)
        if earned > 0 and self._fits_the_disk(step):
            length = min(length, int(-self._balance / earned) - 1)
        return length if self._bare_seconds else 0

    def plain_steps(self, count: int, ended: float, length: float, seen: float, busy: float, *, hooked: bool) -> None:
        """A stretch of `count` plain steps has ended, the last of them at the time `ended`.

        Each took `length` seconds (pauses left out), in `busy` of which the thread computed, and `seen` of which are
        known to be ours; the models' root hooks were on if `hooked`.
        """
        others = self.spent - self._spent_then  # what was done in between: records of evaluations
        own = seen + unseen(self._bare_seconds, hooked=hooked)
        self.spent += count * seen
        self._last_step_at, self._spent_then = ended, self.spent
        self.cost += count * own + others
        weight = 1 - 0.95**count
        self._plain_cost = _moved(self._plain_cost, own, weight)
        self._plain_seconds = _moved(self._plain_seconds, length, weight)
        self._plain_cpu = _moved(self._plain_cpu, busy, weight)
        self._bare_seconds = _moved(self._bare_seconds, max(length - own, 0.0), weight)
        if self._steady:
            self._balance = min(self._balance + count * self._earned(self._bare_seconds) - others, 0.0)

    def sampled(self, step: int, cost: float, size: int) -> None:
        """A sample of `step` was written: `size` bytes, and `cost` seconds so far."""
        self._bytes += size
        self._sample_bytes += (0.1 if self._sample_bytes else 1.0) * (size - self._sample_bytes)
        self._written_cost = cost

    def whole(self, cost: float) -> float:
        """Return what a sample will have cost in the end of which `cost` seconds are known when it is written."""
        return cost * self._completion

    def _sampled_step(self, seconds: float, seen: float, following: int) -> float:
        """Learn from a sampled step that took `seconds`, of which our code saw `seen`; return what it cost."""
        self._samples += 1
        # the first sample pays for lazy initialisation (kernels, imports): it says little about the next
        weight = max(0.1, 1 / max(self._samples - 1, 1))
        self._sample_cost += weight * (seen - self._sample_cost)
        if self._samples == 1:
            self._start = max(ALLOWANCE / 2, seen + ALLOWANCE / 4)
        elif not self._bare_seconds:
            self._bare_seconds = max(seconds - seen, 0.0)  # until there is a step that is not sampled
        if self._samples > 2 and self._plain_seconds:
            extra = seconds - self._plain_seconds
            if self._plain_cpu:  # of what a step takes longer, other processes may have had a part
                busy = self._cpu_clock() - self._cpu_at_begin - self._plain_cpu
                extra = min(extra, busy)
                # the core is shared: a step waits for it more often than a sample, whose share of the wall is too small
                waits = max(self._bare_seconds / self._plain_cpu, 1.0)
                extra = max(extra, min(busy * waits, DEAREST_WAIT * seen))
            extra = min(max(extra, -seen), 4 * seen)  # a pause says nothing about us
            self._sample_extra += 0.1 * (extra - self._sample_extra)
        cost = AFTERMATH * seen * min(max(self._sample_extra / max(self._sample_cost, 1e-9), 1.0), 4.0)
        if self._written_cost > 0:
            self._completion += 0.1 * (cost / self._written_cost - self._completion)
        earned = self._earned(self._bare_seconds)
        paid = math.ceil(self.sample_cost / earned) if self.overhead < 1 and earned > 0 else 1
        self.interval = max(1, paid if self._steady else min(paid, 1 + following // 64))
        self._next = following - 1 + self.interval
        return cost

    def _chooses(self, step: int) -> bool:
        if self._is_fixed(step):
            return True
        if self._surprises:
            self._surprises -= 1
            debt = AFTER_SURPRISE * self.sample_cost  # the last regular one may not be paid yet
            return self._fits_the_disk(step) and (self._balance >= -debt or self.overhead >= 1)
        return self._due(step, 0.0)

    def _is_fixed(self, step: int) -> bool:
        """Tell whether `step` is sampled whatever the others are: the first, and powers of two while there is disk."""
        return step == 0 or (_always(step) and self._bytes + self._sample_bytes <= self.disk)

    def _due(self, step: int, earned_until_then: float) -> bool:
        if not self._steady:
            paid = step >= self._next
        else:
            paid = self._balance + earned_until_then >= 0 or self.overhead >= 1
        return paid and self._fits_the_disk(step)

    def _holds_pause(self, seconds: float) -> bool:
        """Tell whether a step that took so long held something else besides."""
        self._long_steps = self._long_steps + 1 if seconds > self.longest_step else 0
        return 0 < self._long_steps < PAUSES

    def _earned(self, bare: float) -> float:
        """Return what a step that takes `bare` seconds without us may add to the budget of samples."""
        return max(self.overhead * bare - self._plain_cost, LEAST * self.overhead * bare)

    def _fits_the_disk(self, step: int) -> bool:
        share = math.log1p(step) / math.log1p(HORIZON)
        fits = self._bytes + self._sample_bytes <= self.disk * share
        self.thinned_by_disk = self.thinned_by_disk or not fits
        return fits


def unseen(bare: float, *, hooked: bool) -> float:
    """Return the seconds that a plain step, of `bare` seconds without us, costs besides those which our code sees."""
    return min(UNSEEN + UNSEEN_SHARE * bare, UNSEEN_AT_MOST) + (HOOKED if hooked else 0.0)


def _always(step: int) -> bool:
    """Tell whether `step` is 0 or a power of two."""
    return step & (step - 1) == 0


def _moved(mean: float, value: float, weight: float = 0.05) -> float:
    """Return the moving mean after `value`, which one that is far off hardly moves."""
    return mean + weight * (min(value, 3 * mean) - mean) if mean else value
