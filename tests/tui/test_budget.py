"""Processor time is earned before it is spent."""

from __future__ import annotations

import pytest

from trainhealth.tui.budget import LONGEST_WAIT, Budget


def test_the_share_is_kept_in_the_long_run() -> None:
    """Work that costs 50 ms and may take 4 % of a core is done every 1.25 s, after the allowance is spent."""
    budget = Budget(0.04, 0.2, now=0.0)
    now = spent = 0.0
    while now < 1000.0:
        if budget.affords(now):
            budget.spend(0.05, now)
            spent += 0.05
        now += 0.01
    assert spent == pytest.approx(0.04 * 1000, rel=0.02)


def test_an_allowance_lets_the_beginning_be_quick() -> None:
    """A second of processor time may be spent at once; after that, nothing."""
    budget = Budget(0.04, 1.0, now=0.0)
    done = 0
    while budget.affords(0.0):
        budget.spend(0.1, 0.0)
        done += 1
    assert done == 11


def test_no_work_waits_for_ever() -> None:
    """A diagnosis that takes a minute comes again, if late."""
    budget = Budget(0.02, 0.5, now=0.0)
    budget.spend(60.0, 0.0)
    assert not budget.affords(LONGEST_WAIT - 0.1)
    assert budget.affords(LONGEST_WAIT + 0.1)


def test_a_clock_that_jumps_back_earns_nothing() -> None:
    """Monotonic clocks don't, but a suspended machine may do odd things."""
    budget = Budget(0.04, 0.1, now=100.0)
    budget.spend(0.2, 100.0)
    assert not budget.affords(50.0)
