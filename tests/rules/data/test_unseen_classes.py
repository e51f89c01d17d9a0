"""DA11: fires where validation asks for classes that training lacks."""

import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.rules.data.unseen_classes import UnseenClasses
from trainhealth.testing import check_rule, make_run


def judge(share, *, size=32, held=8.0, seen=8.0, samples=10, classes=None):
    batch = {step: {"batch_classes": held, "classes_seen": seen} for step in range(samples)}
    facts = {} if classes is None else {"classes": classes}
    evaluations = {60: {"validation_unseen_share": share}}
    run = make_run([1.0] * 60, batch_size=size, batch=batch, evaluations=evaluations, facts=facts)
    return check_rule(UnseenClasses, run)


@pytest.mark.parametrize(
    ("share", "severity"), [(0.05, Severity.WARNING), (0.49, Severity.WARNING), (0.5, Severity.CRITICAL)]
)
def test_fires_by_the_share_of_targets_that_nobody_can_know(share, severity):
    """320 examples were looked at; critical where it is half of validation."""
    (found,) = judge(share)
    assert found.severity is severity
    assert "none of 320 training examples" in found.message


def test_silent_where_all_or_nearly_all_classes_were_seen():
    """None is unseen, or a few examples of a rare class."""
    assert judge(0.0) == ()
    assert judge(0.049) == ()


def test_too_few_examples_may_miss_a_class_by_chance():
    """With 32 x 10 examples a share of 0.05 is missed once in 9 million; with 24 x 10 once in 160,000."""
    assert isinstance(judge(0.05, size=24), NotChecked)
    assert judge(0.1, size=24)


def test_of_many_rare_classes_some_are_missed():
    """A tenth of validation in two classes would have been met 16 times each; in two hundred (words), hardly once."""
    assert judge(0.1, classes=10)
    assert isinstance(judge(0.1, classes=208), NotChecked)


def test_sorted_batches_may_hide_classes():
    """One class a batch: those of the steps between were not looked at."""
    assert isinstance(judge(0.9, held=1.0), NotChecked)
    assert judge(0.9, size=8, held=4.0, seen=100.0)  # as many as half of a small batch


def test_only_where_evaluations_are_observed():
    """Without the targets of validation it is not checked."""
    assert isinstance(check_rule(UnseenClasses, make_run([1.0] * 60)), NotChecked)
