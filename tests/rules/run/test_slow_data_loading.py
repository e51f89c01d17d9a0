"""RU02: fires where waiting takes most of a time that matters."""

import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.rules.run.slow_data_loading import SlowDataLoading
from trainhealth.testing import check_rule, make_run

STEPS = 20_000  # at 100 steps a second: 200 seconds


def judge(share, steps=STEPS, shares=None):
    sampled = shares if shares is not None else {steps // 20 * i: share for i in range(1, 20)}
    batch = {step: {"data_share": value} for step, value in sampled.items()}
    return check_rule(SlowDataLoading, make_run([1.0] * steps, batch=batch))


@pytest.mark.parametrize(
    ("share", "severity"), [(0.49, None), (0.51, Severity.NOTE), (0.66, Severity.NOTE), (0.68, Severity.WARNING)]
)
def test_half_of_the_time_is_a_note_and_two_thirds_are_a_warning(share, severity):
    """Just below and just above both."""
    found = judge(share)
    assert (found[0].severity if found else None) is severity


def test_says_how_much_was_lost_and_what_is_to_be_won():
    """Three quarters of 200 seconds: four times as fast."""
    (found,) = judge(0.75)
    assert "75% of the time" in found.message
    assert "149 seconds so far" in found.message
    assert "up to 4.0 times as fast" in found.recommendations[0].verify


def test_waits_for_eight_samples_after_the_first_steps():
    """Workers start in the first ten."""
    assert isinstance(judge(0.9, shares=dict.fromkeys(range(9), 0.9)), NotChecked)
    assert isinstance(judge(0.9, shares=dict.fromkeys(range(100, 107), 0.9)), NotChecked)
    assert judge(0.9, shares=dict.fromkeys(range(100, 108), 0.9))


# --- when it is wrong ---


def test_silent_where_little_time_was_lost():
    """Nine tenths of 20 seconds."""
    assert judge(0.9, steps=2000) == ()


def test_silent_on_what_happens_seldom():
    """An evaluation before a third of the samples."""
    assert judge(0, shares={1000 * i: 0.9 if i % 3 == 0 else 0.05 for i in range(1, 20)}) == ()
