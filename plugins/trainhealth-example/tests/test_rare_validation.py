"""rare-validation: fires just above its threshold and not below; each line of *When it is wrong*."""

from __future__ import annotations

import pytest

from trainhealth.findings import NotChecked
from trainhealth.testing import check_rule, make_run
from trainhealth_example.rare_validation import RareValidation


def findings(steps: int, evaluated: list[int]) -> object:
    run = make_run([1.0] * steps, evaluations={step: {"validation_loss": 1.0} for step in evaluated})
    return check_rule(RareValidation, run, steps=100.0)


@pytest.mark.parametrize("evaluated", [[], [1], [199], [5, 110], [5, 50, 90]])
def test_a_long_stretch_is_found_wherever_it_is(evaluated: list[int]) -> None:
    """At the start, between two evaluations, at the end, and where there is none at all."""
    answer = findings(200, evaluated)
    assert isinstance(answer, tuple)
    [finding] = answer
    [evidence] = finding.evidence
    assert evidence.last_step - evidence.first_step == evidence.observed > 100


def test_evaluations_often_enough_are_fine() -> None:
    """A stretch of exactly the allowed length is no finding."""
    assert findings(201, [100, 200]) == ()


def test_a_short_run_is_not_judged() -> None:
    """It may evaluate yet."""
    assert isinstance(findings(100, []), NotChecked)


def test_a_run_that_is_evaluated_elsewhere_is_found_although_it_is_healthy() -> None:
    """The documented false alarm: its log has no evaluation."""
    assert findings(200, []) != ()
