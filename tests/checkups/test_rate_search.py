"""The search for a rate, on losses whose best rate is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from trainhealth.checkups.rate_search import REPEATS, Course, Planned, range_test, search

PLENTY = partial(int, 10**6)  # steps that are left, whatever has been made
NOISE = 0.05  # of the gradients, over the curvature: without it nothing ever leaves the minimum again


class Quadratic:
    """Gradient descent on sum of curvature w^2 / 2: a rate of 2 over the largest curvature is too much."""

    def __init__(self, curvatures: Sequence[float], waits: int = 0, offset: float = 0.0) -> None:
        self.curvatures, self.waits, self.offset = curvatures, waits, offset
        self.steps = 0

    def __call__(self, rates: Sequence[float], looks: int = 0, repeat: int = 0) -> Course:
        weights = [1.0] * len(self.curvatures)
        due = {round(len(rates) * (look + 1) / looks) for look in range(looks)}
        losses: list[float] = []
        held_out: list[float] = []
        moved = 0.0
        for step, rate in enumerate(rates, start=1):
            losses.append(self._loss(weights))
            self.steps += 1
            if not math.isfinite(losses[-1]) or losses[-1] > 1e6:
                break
            moved += rate
            if moved > self.waits:  # a plateau that has to be crossed first
                kick = NOISE * (-1) ** step
                weights = [w - rate * c * (w + kick) for w, c in zip(weights, self.curvatures, strict=True)]
            if step in due:
                held_out.append(self._loss(weights))
        return Course(tuple(losses), tuple(held_out) + (math.inf,) * (len(due) - len(held_out)))

    def _loss(self, weights: Sequence[float]) -> float:
        return sum(c * w * w / 2 for w, c in zip(weights, self.curvatures, strict=True)) + self.offset


def budget(train: Quadratic, steps: int) -> Callable[[], int]:
    """Return what is left of so many steps from now on."""
    until = train.steps + steps
    return lambda: until - train.steps


@pytest.mark.parametrize("curvatures", [[1.0], [1.0, 0.01], [1e-2], [1e4, 10.0]])
def test_suggested_rate_is_within_half_a_decade_of_the_best_of_a_fine_grid(curvatures: list[float]) -> None:
    """Of 121 rates tried one by one for as long as the last rung, the best is near the suggested one."""
    train = Quadratic(curvatures)
    found = search(train, range_test(train, 100).top, budget(train, 3000), Planned(1000, 50))
    assert found.suggested is not None
    steps = found.suggested.steps
    grid = [10 ** (-6 + 0.075 * point) / curvatures[0] for point in range(121)]
    best = min(grid, key=lambda rate: min(train([rate] * steps, 4).held_out))
    assert 10**-0.5 <= found.suggested.rate / best <= 10**0.5


def test_range_test_finds_the_rate_that_is_too_high_late_but_finds_it() -> None:
    """The top is above the true limit of 2, since the turn shows late, and within a decade of it."""
    assert 2.0 < range_test(Quadratic([1.0]), 100).top < 20.0


def test_range_test_ends_at_the_last_rate_of_a_loss_that_never_rises() -> None:
    """A loss that no rate raises has its top at the end of the test."""
    ramp = range_test(lambda rates, looks=0, repeat=0: Course((1.0,) * len(rates)), 50)
    assert ramp.top == ramp.rates[-1] == pytest.approx(100.0)


def test_rate_that_breaks_is_above_the_limit_and_tried() -> None:
    """The rate called too high is one that was tried, and does diverge."""
    train = Quadratic([1.0])
    found = search(train, 30.0, budget(train, 3000), Planned(1000, 50))
    assert found.suggested is not None
    assert found.breaks is not None
    assert found.suggested.rate < found.breaks
    assert found.breaks > 1.9
    assert found.breaks in {one.rate for one in found.tried}


def test_best_rate_beyond_the_first_range_is_found() -> None:
    """A range that ends far above the best rates is extended downwards, since the best one lies at its edge."""
    train = Quadratic([1000.0])
    found = search(train, 10.0, budget(train, 3000), Planned(1000, 50))
    assert found.suggested is not None
    assert found.suggested.rate < 2e-3


def test_nothing_is_suggested_where_no_rate_moves_the_loss() -> None:
    """A loss that stays where it was at every rate gives no suggestion."""
    found = search(
        lambda rates, looks=0, repeat=0: Course((1.0,) * len(rates), (1.0,) * looks), 10.0, PLENTY, Planned(500, 50)
    )
    assert found.suggested is None


def test_nothing_is_suggested_where_every_rate_breaks() -> None:
    """A loss that no rate above zero survives gives no suggestion."""

    def train(rates: Sequence[float], looks: int = 0, repeat: int = 0) -> Course:
        return Course((1.0,), (1.0 if rates[0] == 0 else math.inf,) * looks)

    assert search(train, 10.0, PLENTY, Planned(500, 50)).suggested is None


def test_loss_that_falls_late_is_tried_for_longer_before_rates_are_dropped() -> None:
    """Rates that all look alike after the first rung are tried again for longer, and the best one is found."""
    train = Quadratic([1.0], waits=60)
    found = search(train, 3.0, budget(train, 3000), Planned(1000, 50))
    assert found.suggested is not None
    assert 0.1 <= found.suggested.rate < 2.0


def test_running_averages_that_settle_are_no_progress() -> None:
    """A held-out loss that falls at rate 0 too, as with batch norm, is compared with that fall."""

    def train(rates: Sequence[float], looks: int = 0, repeat: int = 0) -> Course:
        return Course((1.0,) * len(rates), (1.0,) * looks if rates else (5.0,))

    assert search(train, 10.0, PLENTY, Planned(500, 50)).suggested is None


@pytest.mark.parametrize("steps", [200, 800, 3000, 30_000])
def test_search_stays_near_its_budget(steps: int) -> None:
    """The steps made are at most a third more than there are, and where there are many, all trainings are whole."""
    train = Quadratic([1.0, 0.1])
    found = search(train, 3.0, budget(train, steps), Planned(1000, 50))
    assert train.steps <= 1.34 * steps
    assert found.suggested is not None
    assert found.suggested.steps <= 1000
    if steps == 30_000:
        assert {one.steps for one in found.tried} == {1000}
        assert len(found.suggested.losses) == 1 + REPEATS


def test_no_training_is_longer_than_the_run_that_is_planned() -> None:
    """However many steps there are."""
    assert {one.steps for one in search(Quadratic([1.0]), 3.0, PLENTY, Planned(150, 50)).tried} == {150}


def test_losses_below_zero_are_compared_by_their_fall() -> None:
    """An offset of the loss, as of a log-density, does not change the suggestion by more than half a decade."""
    trains = [Quadratic([1.0, 0.05], offset=by) for by in (0.0, -0.6)]
    plain, shifted = (search(train, 3.0, budget(train, 3000), Planned(1000, 50)).suggested for train in trains)
    assert plain is not None
    assert shifted is not None
    assert 0.3 <= shifted.rate / plain.rate <= 3.2


def test_the_middle_of_rates_that_can_not_be_told_apart_is_suggested() -> None:
    """On a flat bottom with noise the lowest loss is chance: the middle of the bottom is taken, not its end."""

    def train(rates: Sequence[float], looks: int = 0, repeat: int = 0) -> Course:
        wobble = 0.02 * (-1) ** (repeat + round(4 * math.log10(rates[0] or 1)))
        loss = 1.0 if rates[0] == 0 else 0.5 + wobble if 0.05 <= rates[0] <= 0.2 else 0.9
        return Course((1.0,) * len(rates), (loss,) * looks)

    found = search(train, 3.0, PLENTY, Planned(500, 50))
    assert found.suggested is not None
    assert found.suggested.rate == pytest.approx(0.1)


def test_a_rate_that_breaks_in_one_order_of_the_batches_is_not_suggested() -> None:
    """It gets furthest in the first training, and does not survive a repetition."""

    def train(rates: Sequence[float], looks: int = 0, repeat: int = 0) -> Course:
        loss = 1.0 if rates[0] == 0 else abs(math.log10(rates[0] / 0.18)) / 4
        return Course((1.0,) * len(rates), (math.inf if repeat == 2 and rates[0] > 0.1 else loss,) * looks)

    found = search(train, 3.0, PLENTY, Planned(500, 50))
    assert found.suggested is not None
    assert found.suggested.rate == pytest.approx(0.1)


def table(losses: dict[float, tuple[float, float]]) -> Callable[..., Course]:
    """Return trainings whose loss is told by rate: in the first order, and in all others; 0.9 for other rates."""

    def train(rates: Sequence[float], looks: int = 0, repeat: int = 0) -> Course:
        first, others = losses.get(rates[0], (0.9, 0.9)) if rates[0] else (1.0, 1.0)
        return Course((1.0,) * len(rates), (others if repeat else first,) * looks)

    return train


@pytest.mark.parametrize(("order_known", "suggested"), [(True, 0.1), (False, 0.18)])
def test_the_order_that_the_run_will_have_counts_first(order_known: bool, suggested: float) -> None:
    """A rate that gets furthest in it is suggested, also where another one gets further in all other orders."""
    train = table({0.056: (0.6, 0.6), 0.1: (0.4, 0.6), 0.18: (0.5, 0.3), 0.32: (0.6, 0.6)})
    found = search(train, 3.0, PLENTY, Planned(500, 50, order_known))
    assert found.suggested is not None
    assert found.suggested.rate == suggested


def test_of_rates_equally_good_in_the_order_of_the_run_other_orders_choose() -> None:
    """Of two within 2 % of each other it is the one that gets further when repeated."""
    train = table({0.1: (0.400, 0.6), 0.18: (0.405, 0.5), 0.32: (0.42, 0.3)})
    found = search(train, 3.0, PLENTY, Planned(500, 50, order_known=True))
    assert found.suggested is not None
    assert found.suggested.rate == 0.18
    assert len(found.suggested.losses) == 1 + REPEATS


def test_a_rate_that_breaks_in_another_order_is_not_suggested_for_the_known_one() -> None:
    """The best one left is, though nobody has repeated it."""
    train = table({0.1: (0.5, 0.5), 0.18: (0.4, math.inf)})
    found = search(train, 3.0, PLENTY, Planned(500, 50, order_known=True))
    assert found.suggested is not None
    assert found.suggested.rate == 0.1
