"""No report says "raise it" and "lower it"."""

from __future__ import annotations

import pytest

from trainhealth.findings import Change, Confidence, Finding, Recommendation, Severity
from trainhealth.rules.contradictions import without_contradictions


def finding(code: str, *changes: Change | None) -> Finding:
    """A finding with a recommendation for each change."""
    advice = tuple(Recommendation("Do it.", "It helps.", "Better.", change=change) for change in changes)
    return Finding(code, "name", Severity.WARNING, Confidence.LIKELY, "A fact.", 0, (), advice)


def left(*findings: Finding) -> list[int]:
    """How many recommendations each finding keeps."""
    return [len(found.recommendations) for found in without_contradictions(findings)]


LOWER, LOWER_STILL, RAISE = (Change("learning_rate", 0.1, to) for to in (0.01, 0.001, 1.0))


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        (RAISE, 0),
        (LOWER_STILL, 1),
        (Change("batch_size", 32, 64), 1),
        (None, 1),
    ],
)
def test_the_first_advice_on_a_setting_stays(second, kept):
    """What points the same way, or at another setting, stays beside it."""
    assert left(finding("OP01", LOWER), finding("OP02", second)) == [1, kept]


def test_words_contradict_each_other_where_they_differ():
    """AdamW and SGD can't both be the optimizer."""
    adamw, sgd = (Change("optimizer", "Adam", to) for to in ("AdamW", "SGD"))
    assert left(finding("OP08", adamw), finding("OP07", sgd), finding("OP07", adamw)) == [1, 0, 1]


def test_alternatives_of_one_finding_stay_together():
    """The person chooses."""
    assert left(finding("OP12", LOWER, RAISE)) == [2]
