"""A small fixed part of the measurement of errors (``python -m benchmarks.accuracy`` is all of it)."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from benchmarks.accuracy.cases import PARTS, TUNING, Case, healthy_cases, sick_cases
from benchmarks.accuracy.faults import FAULTS
from benchmarks.accuracy.harm import harmed, is_worse
from benchmarks.accuracy.measure import Result, fixed, run_case
from benchmarks.accuracy.report import wilson, write

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
        twins = {fault.healthy(program) for fault in FAULTS for program in PARTS[part] if fault.fits(program)}
        assert not twins & {case.program for case in cases}
        assert len({case.key for case in cases}) == len(cases)


def test_every_rule_has_a_fault_that_shows_it_or_a_reason_why_not(rule_codes):
    """What is a symptom of other illnesses, and what a short run of one process can't have, is not planted."""
    symptoms = {"LS03", "LS04", "LS06", "LS08", "GR01", "GR02", "AC02", "AC03", "AC04"}
    elsewhere = {"RU01", "RU02", "RU04"}
    named = {fault.names[0] for fault in FAULTS}
    others = {code for fault in FAULTS for code in fault.names[1:]}
    assert rule_codes - named - others <= symptoms | elsewhere


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


def result_of(program, skill, fault=None, strength=None, codes=()):
    """What came of a case, with a warning of each code."""
    case = Case(program, FAULT.get(fault), strength)
    findings = [
        {"code": code, "severity": "warning", "confidence": "likely", "first_step": 0, "explained": False}
        for code in codes
    ]
    return Result(case.key, asdict(program), fault, strength, skill, 100, findings, [])


def seeds_of(program, skills, *fault):
    """The same program with three seeds."""
    return [result_of(replace(program, seed=seed), skill, *fault) for seed, skill in enumerate(skills)]


@pytest.mark.parametrize(
    ("skills", "worse"),
    [
        ([0.90, 0.91, 0.92], True),
        ([0.95, 0.97, 0.96], False),
        ([0.97, 0.98, 0.99], False),
        ([0.3, float("nan"), -1e9], True),
        ([], False),
    ],
)
def test_harm_is_a_difference_that_the_seeds_do_not_explain(skills, worse):
    """Against 0.95 to 0.97; the better ones are no harm, a failure counts as guessing."""
    assert is_worse(skills, [0.95, 0.96, 0.97]) is worse


def test_a_fault_is_compared_with_its_twin_and_else_with_the_pair():
    """The shares of wrong labels are planted into forty epochs, and only then do forty epochs count."""
    fault = FAULT["label noise"]
    sick = seeds_of(fault.sick(DIGITS, "clearly"), [0.90, 0.91, 0.92], fault.name, "clearly")
    pair = seeds_of(DIGITS, [0.95, 0.96, 0.97])
    assert harmed(sick, pair) == {result.key for result in sick}
    assert harmed(sick, [*pair, *seeds_of(fault.healthy(DIGITS), [0.90, 0.91, 0.92])]) == set()
    assert harmed(sick, []) == set()


def test_the_report_counts_all_planted_faults_and_those_that_harm():
    """One fault harms and is found, one does not harm and is not found: both shares stand side by side."""
    healthy = seeds_of(DIGITS, [0.95, 0.96, 0.97])
    low, high = FAULT["rate too low"], FAULT["rate too high"]
    sick = [
        *seeds_of(low.sick(DIGITS, "clearly"), [0.1, 0.1, 0.1], low.name, "clearly", ["OP02"]),
        *seeds_of(high.sick(DIGITS, "clearly"), [0.95, 0.96, 0.97], high.name, "clearly"),
    ]
    report = write(healthy, sick)
    both = next(line for line in report.splitlines() if line.startswith("| clearly or grossly"))
    assert "| 3/6 = 50.0%" in both
    assert "| 3/3 = 100.0% (43.8% to 100.0%) |" in both
    assert "| rate too high | OP01, LS02, LS01 |  | 0/3 |  | never |" in report
