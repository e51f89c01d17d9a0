"""The governor keeps the cost of sampling within its budgets, on a clock that the tests turn."""

from __future__ import annotations

import pytest

from trainhealth.hooks.governor import AFTER_SURPRISE, AFTERMATH, ALLOWANCE, LEAST, LONGEST, Governor, unseen


class Loop:
    """A training loop on a clock of its own: bare steps of `step` seconds, samples that cost `cost`."""

    def __init__(
        self, overhead: float, step: float, cost: float, *, disk: float = 1e12, size: int = 1000, hidden: float = 0.0
    ) -> None:
        self.now = 0.0
        self.cpu = 0.0  # seconds in which the thread computed
        self.governor = Governor(overhead, disk, clock=lambda: self.now, cpu_clock=lambda: self.cpu)
        self.step, self.cost, self.size = step, cost, size
        self.hidden = hidden  # seconds that a sample takes outside of our code
        self.sampled: list[int] = []
        self.times: list[float] = []

    def run(self, first: int, last: int) -> None:
        for number in range(first, last):
            cost = 0.0
            if self.governor.wants(number):
                cost = self.cost
                self.sampled.append(number)
            taken = self.step + unseen(self.step, hooked=True) + cost + (self.hidden if cost else 0.0)
            self.now, self.cpu = self.now + taken, self.cpu + taken
            self.governor.spent += cost
            if cost:
                self.governor.sampled(number, cost, self.size)
            self.governor.step_finished(number + 1)
            self.times.append(self.now)


@pytest.mark.parametrize("step", [0.0005, 0.01, 0.3])
@pytest.mark.parametrize("cost", [0.001, 0.05])
@pytest.mark.parametrize("overhead", [0.02, 0.2])
def test_the_mean_cost_stays_in_the_budget(step: float, cost: float, overhead: float) -> None:
    """Over a long run the samples cost no more than the share that was asked for, and not much less."""
    loop = Loop(overhead, step, cost)
    loop.run(0, 40_000)
    spent = cost * len(loop.sampled)
    late = [number for number in loop.sampled if number > 32_768]  # the last power of two is one sample more
    assert spent <= ALLOWANCE + overhead * loop.now + cost
    assert cost * len(late) <= overhead * (loop.now - loop.times[32_768]) + cost
    left = overhead * step - unseen(step, hooked=True)  # by what plain steps cost, for samples
    earned = max(left, LEAST * overhead * step)
    possible = min(40_000, 40_000 * earned / (AFTERMATH * cost))  # not more than every step can be sampled
    assert len(loop.sampled) >= 0.8 * possible


def test_any_thousand_steps_stay_in_the_budget_after_the_start() -> None:
    """Once the start-up allowance is used, every window of 1,000 steps holds the budget."""
    loop = Loop(0.02, 0.01, 0.02)
    loop.run(0, 30_000)
    used_up = next(n for n in range(30_000) if 0.02 * sum(s <= n for s in loop.sampled[: n + 1]) > ALLOWANCE / 2)
    for begin in range(used_up, 29_000, 500):
        cost = 0.02 * sum(begin <= number < begin + 1000 for number in loop.sampled)
        assert cost <= 0.02 * 1000 * 0.01 + 0.02


def test_the_beginning_is_always_looked_at() -> None:
    """Steps 0, 1, 2, 4, 8, … are sampled however dear a sample is."""
    loop = Loop(0.02, 0.001, 10.0)
    loop.run(0, 1025)
    assert loop.sampled == [0, *(2**power for power in range(11))]


def test_a_surprise_is_looked_at_closely_and_within_the_budget() -> None:
    """After a surprise the next steps are sampled, at most three; without budget none is."""
    loop = Loop(0.02, 0.01, 0.01)
    loop.run(0, 3000)
    now = loop.sampled[-1] + 1
    loop.governor.surprise()
    loop.sampled.clear()
    loop.run(now, now + 20)
    assert loop.sampled == [now + i for i in range(AFTER_SURPRISE)]
    loop.sampled.clear()
    for again in range(20, 100, 20):
        loop.governor.surprise()  # at once again: what the three have cost is not yet paid
        loop.run(now + again, now + again + 20)
    assert len(loop.sampled) <= 2  # one on credit, and one that 80 steps have earned


def test_the_disk_budget_thins_a_long_run() -> None:
    """A million cheap samples do not fill the disk: what is written stays below the budget, spread over the run."""
    loop = Loop(1.0, 0.01, 1e-7, disk=10_000_000, size=1000)
    loop.run(0, 60_000)
    assert 1000 * len(loop.sampled) <= 10_000_000
    early = sum(number < 1000 for number in loop.sampled)
    late = sum(number >= 30_000 for number in loop.sampled)
    assert early > 0
    assert late > 0


def test_a_small_disk_budget_holds_for_the_steps_that_are_always_sampled() -> None:
    """Powers of two are sampled whatever they cost in time, but not beyond the bytes that were asked for."""
    loop = Loop(0.02, 0.01, 0.001, disk=5_500, size=1000)
    loop.run(0, 10_000)
    assert 3 <= len(loop.sampled) <= 5


def test_what_our_code_cannot_see_is_counted() -> None:
    """Samples that make a step longer than our own clock says are held against the budget with all they cost."""
    loop = Loop(0.02, 0.01, 0.01, hidden=0.02)
    loop.run(0, 40_000)
    later = [number for number in loop.sampled if number >= 10_000]
    plain = unseen(0.01, hooked=True) / 0.01
    assert 0.8 * 0.02 <= plain + 0.03 * len(later) / (30_000 * 0.01) <= 0.022
    assert loop.governor.share == pytest.approx(plain + 0.03 * len(loop.sampled) / (40_000 * 0.01), rel=0.25)


def test_pauses_earn_nothing() -> None:
    """Evaluations and other work between steps, however long and frequent, are no time in which samples are earned."""
    loops = [Loop(0.02, 0.01, 0.01), Loop(0.02, 0.01, 0.01)]
    for number in range(10_000):
        for loop in loops:
            loop.run(number, number + 1)
        if number % 8 == 0:
            loops[1].now += 0.1
    counts = [sum(number > 1000 for number in loop.sampled) for loop in loops]
    assert 0.6 * counts[0] <= counts[1] <= counts[0]


def test_steps_that_become_longer_are_no_pauses() -> None:
    """Where all steps take ten times as long from some step on, samples are taken as often as that allows."""
    loop = Loop(0.02, 0.01, 0.02)
    loop.run(0, 5000)
    loop.step = 0.1
    loop.run(5000, 9000)
    late = [number for number in loop.sampled if number >= 7000]
    assert 0.8 * 0.02 <= 0.02 * len(late) / (2000 * 0.1) <= 0.021


def test_where_the_core_is_shared_cpu_time_stays_in_the_budget() -> None:
    """A plain step gets a tenth of the core, a sample a seventh: the share of CPU time counts, which is the larger."""
    loop = Loop(0.02, 0.1, 0.014)
    governor = loop.governor
    loop.run(0, 500)
    spent = 0.0
    for number in range(500, 20_000):
        sampled = governor.wants(number)
        loop.now += 0.1 + (0.014 if sampled else 0.0)
        loop.cpu += 0.01 + (0.002 if sampled else 0.0)
        if sampled:
            governor.spent += 0.014
            governor.sampled(number, 0.014, 1000)
            spent += 0.002 * (number >= 10_000)
            governor.step_finished(number + 1)
        else:
            governor.plain_steps(1, loop.now, 0.1, 0.0, 0.01, hooked=True)
    assert 0.8 * 0.02 <= spent / (10_000 * 0.01) <= 0.0205


def test_a_promise_is_kept_and_paid() -> None:
    """A step that was announced is sampled, and what the step before did because of it is a part of its price."""
    loop = Loop(0.02, 0.01, 0.01)
    loop.run(0, 3000)
    governor, announced, ahead = loop.governor, 0, False
    for number in range(3000, 9000):
        wanted = governor.wants(number)
        assert wanted or not ahead
        ahead = not wanted and governor.expects(number + 1)
        cost = 0.01 if wanted or ahead else 0.0
        loop.now += 0.01 + cost
        governor.spent += cost
        if wanted:
            governor.sampled(number, cost, 1000)
        governor.step_finished(number + 1)
        announced += ahead
    assert announced > 20
    assert 0.02 * announced <= 0.022 * 6000 * 0.01


def test_a_stretch_counts_as_its_steps_one_by_one() -> None:
    """An account of many plain steps at once leaves the governor where accounts of each would have."""
    loops = [Loop(0.02, 0.01, 0.01), Loop(0.02, 0.01, 0.01)]
    for loop in loops:
        loop.run(0, 3000)
        loop.run(3000, loop.sampled[-1] + loop.governor.interval + 1)  # the last one was just sampled
        assert loop.sampled[-1] == loop.sampled[-2] + loop.governor.interval
    first = loops[0].sampled[-1] + 1
    single, together = (loop.governor for loop in loops)
    for number in range(first, first + 20):
        for loop in loops:
            loop.now += 0.01 + 1e-5
        assert not single.wants(number)
        single.spent += 1e-5
        single.step_finished(number + 1)
    together.plain_steps(20, loops[1].now, 0.01001, 1e-5, 0.01, hooked=True)
    for field in ("spent", "cost", "_balance", "_plain_cost", "_plain_seconds", "_bare_seconds"):
        assert getattr(together, field) == pytest.approx(getattr(single, field), rel=0.02), field


@pytest.mark.parametrize("step", [0.0005, 0.01])
def test_no_step_of_a_stretch_would_be_sampled(step: float) -> None:
    """Where the governor says that some steps need no asking, it would have said no to each of them."""
    loop = Loop(0.02, step, 0.01)
    loop.run(0, 3000)
    governor, number, asked = loop.governor, 3000, 0
    while number < 20_000:
        length = governor.stretch(number)
        for later in range(number, number + length):
            assert not governor._chooses(later)
            assert not governor.expects(later + 1)
        taken = step + unseen(step, hooked=True)
        loop.now += length * taken
        if length > 0:
            governor.plain_steps(length, loop.now, taken, 0.0, step, hooked=True)
        number += max(length, 0)
        loop.run(number, number + 1)
        number, asked = number + 1, asked + 1
    assert asked < 17_000 / 10


def test_nothing_to_sample_needs_no_asking() -> None:
    """Without probes the stretches are as long as they can be."""
    loop = Loop(0.02, 0.01, 0.01)
    assert loop.governor.stretch(1, samples=False) == LONGEST


def test_work_of_every_step_is_affordable_when_it_is_small() -> None:
    """What is done in each step may cost a tenth of the budget."""
    loop = Loop(0.02, 0.01, 0.001)
    loop.run(0, 1000)
    assert loop.governor.affords(1e-5)
    assert not loop.governor.affords(1e-4)
