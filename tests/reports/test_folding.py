"""Symptoms under their causes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trainhealth.findings import Confidence, Finding, Severity
from trainhealth.reports.folding import fold


def finding(code: str, *caused_by: str) -> Finding:
    causes = tuple(f"{cause}@run" for cause in caused_by)
    return Finding(code, code.lower(), Severity.WARNING, Confidence.LIKELY, "", 0, (), caused_by=causes)


def codes(*findings: Finding) -> list[list[str]]:
    return [[illness.cause.code, *(symptom.code for symptom in illness.symptoms)] for illness in fold(findings)]


def test_a_symptom_stands_under_its_cause() -> None:
    """Findings that nothing explains are illnesses of their own."""
    assert codes(finding("A"), finding("B"), finding("C", "A")) == [["A", "C"], ["B"]]


def test_a_chain_of_causes_is_one_illness() -> None:
    """What a symptom explains stands under the first cause, too."""
    assert codes(finding("A"), finding("B", "A"), finding("C", "B")) == [["A", "B", "C"]]


def test_of_several_causes_the_first_counts() -> None:
    """A finding is told once."""
    assert codes(finding("A"), finding("B"), finding("C", "B", "A")) == [["A"], ["B", "C"]]


def test_a_cause_that_was_not_found_explains_nothing() -> None:
    """A finding whose cause is missing leads its own block."""
    assert codes(finding("C", "A")) == [["C"]]


def test_findings_that_explain_each_other_are_one_illness() -> None:
    """A ring has no first cause: the first in reading order leads."""
    assert codes(finding("A", "B"), finding("B", "A"), finding("C", "B")) == [["A", "B", "C"]]


@given(st.lists(st.tuples(st.sampled_from("ABCDEF"), st.lists(st.sampled_from("ABCDEF"), max_size=3)), max_size=8))
def test_no_finding_is_lost_or_told_twice(graph: list[tuple[str, list[str]]]) -> None:
    """Whatever explains what, and even if an id occurs twice."""
    findings = [finding(code, *causes) for code, causes in graph]
    told = [one for illness in fold(findings) for one in (illness.cause, *illness.symptoms)]
    assert sorted(map(id, told)) == sorted(map(id, findings))
