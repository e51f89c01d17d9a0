"""What is charged for the snapshots, and what is not."""

from __future__ import annotations

import pytest

from trainhealth.tui.meter import DRAWING, Meter


class Clocks:
    """The processor time of a process and of one thread in it."""

    process = thread = 10.0

    def pass_(self, here: float, elsewhere: float) -> None:
        """Work in the thread, and in the other threads."""
        self.thread += here
        self.process += here + elsewhere


@pytest.fixture
def clocks() -> Clocks:
    """Clocks that stand."""
    return Clocks()


@pytest.fixture
def meter(clocks: Clocks) -> Meter:
    """A meter that was set up when some time had been spent already."""
    return Meter(lambda: clocks.process, lambda: clocks.thread)


def test_drawing_a_snapshot_is_charged(clocks: Clocks, meter: Meter) -> None:
    """The thread that draws is another one than the thread that reads."""
    clocks.pass_(here=0.02, elsewhere=0.05)
    assert meter.read(0.0) == pytest.approx(0.07)
    clocks.pass_(here=0.01, elsewhere=0.03)
    assert meter.read(DRAWING / 2) == pytest.approx(0.04)


def test_what_somebody_at_the_keys_asks_for_is_not(clocks: Clocks, meter: Meter) -> None:
    """Paging through the views for a minute does not keep the next snapshot away."""
    for _ in range(60):
        clocks.pass_(here=0.001, elsewhere=0.1)
        assert meter.read(2 * DRAWING) == pytest.approx(0.001)


def test_every_second_is_charged_once(clocks: Clocks, meter: Meter) -> None:
    """What was not charged is not made up for with the next snapshot."""
    clocks.pass_(here=0.0, elsewhere=5.0)
    meter.read(2 * DRAWING)
    assert meter.read(0.0) == pytest.approx(0.0)
