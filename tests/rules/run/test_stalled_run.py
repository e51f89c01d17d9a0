"""RU01: fires on one long pause, and not on what is regular, early, or between two processes."""

import numpy as np
import pytest

from trainhealth.builder import RunBuilder
from trainhealth.findings import NotChecked, Severity
from trainhealth.records import StartRecord, StepRecord
from trainhealth.rules.run.stalled_run import StalledRun
from trainhealth.testing import check_rule


def judge(pauses, count=400, usual=0.5, resumed=None):
    """A run of `count` steps of `usual` seconds, with pauses (seconds) before the steps that are named."""
    seconds = np.full(count, usual)
    for step, pause in pauses.items():
        seconds[step] += pause
    times = 1000.0 + np.cumsum(seconds)
    records = [StepRecord(step=step, time=float(times[step]), train_loss=1.0) for step in range(count)]
    if resumed is not None:
        records.insert(resumed, StartRecord(step=resumed, time=float(times[resumed]), resumed=True))
    builder = RunBuilder()
    builder.feed(records)
    return check_rule(StalledRun, builder.view())


@pytest.mark.parametrize(("pause", "fires"), [(61, True), (58, False)])
def test_fires_from_a_minute_on(pause, fires):
    """Just above and just below, in a run of 200 seconds."""
    assert bool(judge({200: pause})) is fires


def test_says_where_and_for_how_long():
    """A pause that is longer than all the rest is a warning; a shorter one a note."""
    (found,) = judge({200: 7200})
    assert found.message.startswith(
        "Between step 199 and step 200 the run stood still for 2 h; a step usually takes 0.5 s"
    )
    assert (found.severity, found.first_step) == (Severity.WARNING, 199)
    (found,) = judge({200: 100})
    assert found.severity is Severity.NOTE


def test_waits_for_twenty_steps():
    """The first ten do not count, and ten others must tell what is usual."""
    assert isinstance(judge({15: 7200}, count=19), NotChecked)
    assert judge({15: 7200}, count=20)


# --- when it is wrong ---


def test_silent_on_what_comes_back():
    """An evaluation of two minutes after every hundred steps."""
    assert judge(dict.fromkeys(range(100, 400, 100), 120)) == ()


def test_silent_on_the_first_steps():
    """Compiling takes minutes."""
    assert judge({3: 600}) == ()


def test_silent_between_two_processes():
    """Nobody trained in the two days before the run was resumed."""
    assert judge({200: 172800}, resumed=200) == ()
    assert judge({200: 172800, 300: 7200}, resumed=200)


def test_silent_on_a_clock_that_jumps():
    """A machine whose time is set right later; a stall beside a small correction is still one."""
    assert judge({200: -86400, 201: 172800, 202: -86400}) == ()
    assert judge({200: 7200, 300: -7200}) == ()
    assert judge({100: -2, 200: 7200})


def test_silent_on_a_pause_that_is_little_of_a_long_run():
    """Two minutes of ten hours."""
    assert judge({200: 120}, usual=90.0) == ()
