"""Cause before symptom: the graph has no rings, knows time, and orders what a person reads."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter

import pytest

from trainhealth.catalogue import known_faults
from trainhealth.findings import Confidence, Evidence, Finding, Severity
from trainhealth.reports.folding import fold
from trainhealth.rules.causes import GRAPH, in_reading_order, link_causes
from trainhealth.rules.engine import all_rules
from trainhealth.testing import make_run

RUN = make_run([1.0] * 1000)


def finding(code, step=0, severity=Severity.WARNING, confidence=Confidence.LIKELY, place="run"):
    evidence = Evidence("train_loss", None, step, step, 1.0, "less")
    return Finding(code, code.lower(), severity, confidence, "It is so.", step, (evidence,), place=place)


def causes(*findings):
    return {linked.code: linked.caused_by for linked in link_causes(findings, RUN)}


# --- the graph ---


def test_nothing_causes_itself_by_any_way():
    """Folding follows causes to their end: there must be one."""
    tree: dict[str, set[str]] = {}
    for edge in GRAPH:
        tree.setdefault(edge.symptom, set()).add(edge.cause)
    order = list(TopologicalSorter(tree).static_order())  # raises where there is a circle
    assert all(order.index(edge.cause) < order.index(edge.symptom) for edge in GRAPH)


def test_no_cause_folds_everything():
    """A fault that explained most others, directly or not, would hide whatever else is wrong with the run."""
    explained: dict[str, set[str]] = {}
    for edge in GRAPH:
        explained.setdefault(edge.cause, set()).add(edge.symptom)
    rules = len(all_rules())
    for cause in explained:
        reached, rest = set(), [cause]
        while rest:
            new = explained.get(rest.pop(), set()) - reached
            reached |= new
            rest.extend(new)
        assert len(reached) < 0.6 * rules, cause


def test_every_edge_stands_once_and_has_a_reason():
    """An edge is a claim about the world: somebody must be able to argue with it."""
    assert len({(edge.cause, edge.symptom) for edge in GRAPH}) == len(GRAPH)
    assert all(len(edge.why.split()) >= 4 for edge in GRAPH)
    assert all(0 <= edge.slack <= 1 for edge in GRAPH)


def test_every_edge_joins_faults_that_exist():
    """A code that nothing has would never link anything."""
    codes = {fault.code for fault in known_faults()}
    assert {code for edge in GRAPH for code in (edge.cause, edge.symptom)} <= codes
    assert all(re.fullmatch(r"[A-Z]{2}\d{2}", code) for code in codes)


# --- linking ---


@pytest.mark.parametrize("symptom", ["LS01", "LS02", "AC01", "AC02", "GE02"])
def test_a_rate_that_is_too_high_explains_what_follows(symptom):
    """Overflow, divergence, death, saturation and a poor end are one illness."""
    assert causes(finding("OP01", 10), finding(symptom, 20))[symptom] == ("OP01@run",)


def test_a_cause_may_be_noticed_a_little_later_than_its_symptom():
    """A tenth of the run of a thousand steps, and no more."""
    assert causes(finding("OP01", 119), finding("LS02", 20))["LS02"] == ("OP01@run",)
    assert causes(finding("OP01", 120), finding("LS02", 20))["LS02"] == ()


@pytest.mark.parametrize("symptom", ["LS01", "AC01", "AC02"])
def test_what_was_wrong_before_the_first_update_is_not_the_rates_doing(symptom):
    """Units that were dead or saturated at step 0, and a loss that was NaN, have another cause."""
    assert causes(finding("OP01", 0), finding(symptom, 0))[symptom] == ()
    assert causes(finding("OP01", 0), finding(symptom, 1))[symptom] == ("OP01@run",)


@pytest.mark.parametrize("cause", ["GE01", "GE08"])
def test_what_is_learnt_by_heart_needs_no_longer_training(cause):
    """An accuracy that creeps up beside it is no illness of its own: "train longer" would be the wrong advice."""
    assert causes(finding(cause, 50), finding("GE03", 0))["GE03"] == (f"{cause}@run",)


@pytest.mark.parametrize("cause", ["OP01", "AC04", "LS01", "LS02", "GE02"])
def test_what_spoils_training_explains_a_best_evaluation_long_ago(cause):
    """Stopping early would only hide it."""
    assert causes(finding(cause, 90), finding("GE04", 10))["GE04"] == (f"{cause}@run",)


@pytest.mark.parametrize("cause", ["IN01", "AC02"])
def test_a_vanished_gradient_explains_weights_that_stand_still(cause):
    """Not the rate is too low: raising it would be the wrong advice."""
    assert causes(finding(cause), finding("OP02"))["OP02"] == (f"{cause}@run",)


def test_a_symptom_may_have_several_causes_and_a_cause_several_places():
    """Each is named once, by its id."""
    linked = causes(finding("AC02", 0, place="a"), finding("AC02", 5, place="b"), finding("OP02"))
    assert linked["OP02"] == ("AC02@a", "AC02@b")


def test_causes_are_named_in_the_order_in_which_they_are_read():
    """The first one leads the report: by severity, not by the graph's order."""
    linked = causes(finding("AC02", 0), finding("LS02", 5, Severity.CRITICAL), finding("GE02", 9))
    assert linked["GE02"] == ("LS02@run", "AC02@run")


def test_findings_without_a_cause_stay_as_they_are():
    """The graph adds nothing to what it does not know."""
    alone = finding("GE01")
    assert link_causes([alone], RUN) == [alone]


def test_an_empty_run_links_too():
    """No step has been logged: nothing to divide by."""
    assert link_causes([finding("OP01"), finding("LS02", 1)], make_run())


# --- order ---


def test_causes_stand_before_symptoms_whatever_their_severity():
    """A likely warning that explains a certain critical finding is read first."""
    cause = finding("OP01", 5)
    symptom = finding("LS01", 9, Severity.CRITICAL, Confidence.CERTAIN)
    ordered = in_reading_order(link_causes([symptom, cause], RUN))
    assert [found.code for found in ordered] == ["OP01", "LS01"]


def test_then_severity_confidence_and_time_decide():
    """Among findings that nothing explains."""
    findings = [
        finding("GE01", 0, Severity.NOTE),
        finding("GE02", 0, Severity.WARNING, Confidence.HINT),
        finding("AC01", 9, Severity.WARNING, Confidence.LIKELY),
        finding("AC02", 3, Severity.WARNING, Confidence.LIKELY),
        finding("LS01", 99, Severity.CRITICAL, Confidence.HINT),
    ]
    assert [found.code for found in in_reading_order(findings)] == ["LS01", "AC02", "AC01", "GE02", "GE01"]


def test_an_illness_is_one_block_of_the_report():
    """A rate that is too high leads with all that it did, and another illness stands by itself."""
    codes = ["GE02", "LS01", "LS02", "AC01", "OP01", "GE01"]
    linked = in_reading_order(link_causes([finding(code, 3) for code in codes], RUN))
    blocks = {illness.cause.code: {symptom.code for symptom in illness.symptoms} for illness in fold(linked)}
    assert blocks == {"OP01": {"LS01", "LS02", "AC01", "GE02"}, "GE01": set()}


def test_a_cause_costs_at_least_what_its_symptoms_cost():
    """A note that explains a warning, directly or through others, is one; what explains nothing stays a note."""
    linked = link_causes(
        [
            finding("OP14", severity=Severity.NOTE),
            finding("OP03", severity=Severity.NOTE),
            finding("GE02", severity=Severity.WARNING),
            finding("GE07", severity=Severity.NOTE),
        ],
        RUN,
    )
    assert {f.code: str(f.severity) for f in linked} == {
        "OP14": "warning",
        "OP03": "warning",
        "GE02": "warning",
        "GE07": "note",
    }
