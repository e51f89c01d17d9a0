"""A small fixed part of the measurement of errors (``python -m benchmarks.accuracy`` is all of it)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.accuracy.cases import FAULTS, PARTS, TUNING, Case, healthy_cases, sick_cases
from benchmarks.accuracy.measure import fixed, run_case
from benchmarks.accuracy.report import wilson

DIGITS = TUNING[0]
FAULT = {fault.name: fault for fault in FAULTS}


def test_the_parts_have_no_pair_in_common():
    """What is measured on has not been looked at."""
    pairs = [
        {(case.program.data, case.program.model) for case in healthy_cases(part)} for part in ("tuning", "measuring")
    ]
    assert not pairs[0] & pairs[1]


def test_every_fault_spoils_something_and_is_named_by_rules_that_exist(rule_codes):
    """In both parts, in every strength that differs from the twin."""
    for fault in FAULTS:
        assert set(fault.names) <= rule_codes
    for part in ("tuning", "measuring"):
        cases = list(sick_cases(part, (0,)))
        twins = {fault.healthy(program) for fault in FAULTS for program in PARTS[part]}
        assert not twins & {case.program for case in cases}
        assert len({case.key for case in cases}) == len(cases)


@pytest.fixture
def rule_codes() -> set[str]:
    """The codes of all rules."""
    from trainhealth.rules.engine import all_rules

    return {rule.code for rule in all_rules()}


@pytest.mark.slow
@pytest.mark.parametrize("style", [{}, {"schedule": "cosine"}, {"optimizer": "AdamW", "weight_decay": 0.01}])
def test_healthy_programs_raise_no_alarm(style):
    """Nothing of severity warning or above."""
    result = run_case(Case(replace(DIGITS, **style)))
    assert result.skill > 0.9
    assert result.serious == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rate too high", "dead units", "softmax before cross entropy", "unshuffled"])
def test_a_gross_fault_leads_the_report_and_its_change_mends_it(name):
    """The planted illness comes first; the recommended change, and nothing else, makes the result better."""
    fault = FAULT[name]
    result = run_case(Case(fault.sick(DIGITS, "grossly"), fault, "grossly"))
    assert result.causes[0] in fault.names
    program = fixed(result)
    if program is not None:
        assert run_case(Case(program)).skill > result.skill


def test_intervals_are_wilsons():
    """His own example's shape: none of ten is at most 28 %, ten of ten at least 72 %."""
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-3)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-3)
