"""The list of findings, the page of one, and the page of what was not checked."""

from __future__ import annotations

import dataclasses
import math

import pytest

from tests.tui.cases import CAUSE, HEALTHY, NOT_CHECKED, OTHER, SICK, STATES, SYMPTOM, run, snapshot
from trainhealth.findings import Diagnosis, Finding, NotChecked
from trainhealth.series import RunView
from trainhealth.tui.finding_page import finding_page
from trainhealth.tui.finding_parts import evidence_lines, since
from trainhealth.tui.findings_list import entries, findings_lines, findings_title
from trainhealth.tui.lines import plain, width_of
from trainhealth.tui.look import Look
from trainhealth.tui.not_checked_page import not_checked_page
from trainhealth.tui.snapshot import Snapshot, State


def listed(shown: Snapshot, width: int = 80, selected: int = 0, room: int = 0) -> list[str]:
    return [plain(row) for row in findings_lines(shown, width, selected, room=room)[0]]


def test_the_first_glance_tells_the_cause_and_the_first_thing_to_do() -> None:
    """What, how bad, how sure, since when, the fact, what to do, what will be seen then; symptoms folded under it."""
    assert [row.rstrip() for row in listed(snapshot())] == [
        "Findings  ✖ 2 critical  ▲ 1 warning",
        "▎ ✖ learning-rate-too-high                                     critical, likely",
        "▎ since step 40, 59 steps (0.6 s) ago",
        "▎ The updates at the learning rate of 0.5 were 310 times as large as is usual.",
        "▎ do this    Lower the learning rate from 0.5 to 0.005.",
        "▎ then see   train_loss falls from the first steps on.",
        "▎            1 more: press enter",
        "  └ ✖ nonfinite-loss                                              since step 60",
        "",
        "  ▲ overfitting                                                 warning, likely",
        "  since step 80, 19 steps (0.2 s) ago",
        "  validation_loss rises.",
        "",
        "  9 of 10 rules checked (why not all: n)",
    ]


def test_a_list_with_room_tells_more_of_the_selected_finding() -> None:
    """The evidence as numbers and all recommendations, where they fit; never more than fits."""
    brief = listed(snapshot())
    for room in range(len(brief), 60):
        assert len(listed(snapshot(), room=room)) <= room
    full = "\n".join(listed(snapshot(), room=60))
    assert "update_ratio" in full
    assert "Warm the rate up." in full
    assert "a rate that is too low looks like a plateau" in full
    assert NOT_CHECKED.because in full


def test_the_selected_finding_is_open_and_marked_without_a_colour() -> None:
    """The bar at its left is a character."""
    rows = listed(snapshot(), selected=1)
    marked = [row for row in rows if row.startswith("▎")]
    assert "nonfinite-loss" in marked[0]
    assert any("train_loss is NaN from step 60 on." in row for row in marked)
    assert not any("do this" in row and not row.startswith("▎") for row in rows)


def test_a_muted_finding_is_hidden_and_its_symptoms_stand_alone() -> None:
    """Who mutes a cause has not said that its symptoms are none; the title counts what is muted."""
    shown = snapshot(muted=frozenset({CAUSE.id}))
    assert [(e.finding.name, e.is_symptom) for e in entries(shown)] == [
        ("nonfinite-loss", False),
        ("overfitting", False),
    ]
    rows = listed(shown)
    assert rows[0] == "Findings  ✖ 1 critical  ▲ 1 warning  1 muted"
    assert not any("learning-rate-too-high" in row for row in rows)


def test_muted_findings_can_be_listed_at_the_end() -> None:
    """So that one can be shown again; nothing about them is coloured."""
    lines, owners = findings_lines(snapshot(muted=frozenset({CAUSE.id})), 80, show_muted=True)
    row = next(row for row, line in enumerate(lines) if "learning-rate-too-high" in plain(line))
    assert owners[row] == 2
    assert plain(lines[row]).rstrip().endswith("muted")
    assert {span.role for span in lines[row]} <= {"", "label", "strong"}


def test_only_muted_findings_are_no_clean_bill() -> None:
    """Nothing is found, and the title says what was left out."""
    every = frozenset(finding.id for finding in SICK.findings)
    assert plain(findings_title(snapshot(muted=every))) == "Findings  ✓ nothing found so far  3 muted"


def test_lines_know_to_which_finding_they_belong() -> None:
    """That is what a click asks."""
    lines, owners = findings_lines(snapshot(), 80)
    assert len(lines) == len(owners)
    owned = {owner: plain(line) for line, owner in zip(reversed(lines), reversed(owners), strict=True)}
    assert "learning-rate-too-high" in owned[0]
    assert "nonfinite-loss" in owned[1]
    assert "overfitting" in owned[2]


def test_a_finding_stands_once_however_its_causes_are_knotted() -> None:
    """A ring of causes must not hide anybody."""
    ring = (
        dataclasses.replace(CAUSE, caused_by=(SYMPTOM.id,)),
        dataclasses.replace(SYMPTOM, caused_by=(CAUSE.id,)),
        OTHER,
    )
    assert sorted(entry.finding.code for entry in entries(snapshot(diagnosis=Diagnosis(ring)))) == [
        "GE01",
        "LS01",
        "OP01",
    ]


@pytest.mark.parametrize(
    ("shown", "verdict"),
    [
        (Snapshot("x"), "nothing to diagnose yet"),
        (snapshot(RunView(), Diagnosis(), State.WAITING, diagnosed=False, rules=0), "nothing to diagnose yet"),
        (snapshot(diagnosis=Diagnosis(), diagnosed=False, rules=0), "being diagnosed"),
        (snapshot(diagnosis=HEALTHY), "✓ nothing found so far"),
        (snapshot(diagnosis=HEALTHY, condition=State.ENDED), "✓ nothing found"),
        (snapshot(diagnosis=Diagnosis((), (NOT_CHECKED,)), rules=1), "no rule could be checked"),
        (snapshot(diagnosis=Diagnosis(), rules=0), "no rule could be checked"),
    ],
)
def test_health_is_only_what_was_checked(shown: Snapshot, verdict: str) -> None:
    """Silence would read as health: what was not checked, or not yet, is not healthy."""
    assert plain(findings_title(shown)).removeprefix("Findings").strip() == verdict


def test_since_when_counts_in_steps_and_in_time() -> None:
    """A finding of this very step is from now."""
    view = run()
    assert since(CAUSE, view) == "since step 40, 59 steps (0.6 s) ago"
    assert since(dataclasses.replace(CAUSE, first_step=99), view) == "since step 99, now"


@pytest.mark.parametrize("width", [100, 40, 12])
@pytest.mark.parametrize("name", STATES)
def test_nothing_is_wider_than_its_place(name: str, width: int) -> None:
    """In every state, the list and the pages; only a word that can't be broken sticks out, and is clipped later."""
    shown = STATES[name]
    pages = [
        findings_lines(shown, width)[0],
        not_checked_page(shown, width),
        finding_page(shown, CAUSE.id, width, Look()),
    ]
    if width >= 40:
        assert all(width_of(row) <= width for page in pages for row in page)


def page(finding: Finding, diagnosis: Diagnosis = SICK, width: int = 100) -> str:
    return "\n".join(plain(row) for row in finding_page(snapshot(diagnosis=diagnosis), finding.id, width, Look()))


def test_the_page_of_a_finding_has_everything() -> None:
    """Fact, evidence, every recommendation, sources, what it explains."""
    text = page(CAUSE)
    for part in (
        "✖ learning-rate-too-high  OP01",
        "critical, likely",
        "explains   ✖ nonfinite-loss (LS01)",
        "signal        seen  expected     where              steps",
        "update_ratio  0.31  about 0.001  features.0.weight  40–48",
        "Lower the learning rate from 0.5 to 0.005.",
        "an update should be about a thousandth of the weights",
        "a rate that is too low looks like a plateau",
        "trainhealth explain lower-learning-rate",
        "or this    Warm the rate up.",
        "Training Networks, Part 1: the cost explodes",
        "https://example.org/tr1",
        "trainhealth explain OP01",
    ):
        assert part in text
    assert math.isnan(CAUSE.evidence[1].observed)
    assert "NaN  a number" in text


def test_evidence_that_is_too_wide_for_a_row_takes_two() -> None:
    """The number and what is expected come first; the place goes below."""
    rows = [plain(row) for row in evidence_lines(CAUSE.evidence, 40)]
    assert rows[1:3] == ["update_ratio  0.31  about 0.001", "  features.0.weight, steps 40–48"]


def test_what_is_expected_is_never_cut() -> None:
    """It is a sentence in some rules; it wraps below the number."""
    wordy = dataclasses.replace(CAUSE.evidence[0], expected="about 0.001, as the lectures say, and up to 0.01 at times")
    rows = [plain(row) for row in evidence_lines((wordy,), 40)]
    assert rows[1] == "update_ratio  0.31"
    assert " ".join(row.strip() for row in rows[2:]) == f"features.0.weight, steps 40–48; expected {wordy.expected}"


def test_the_page_of_a_symptom_names_its_cause() -> None:
    """Who opens the symptom wants to know that it is one."""
    assert "caused by  ✖ learning-rate-too-high (OP01)" in page(SYMPTOM)


def test_the_page_of_a_finding_that_is_gone_says_so() -> None:
    """Pages follow the run: the next diagnosis may not support it any more."""
    assert "OP01@features.0.weight is no longer found" in page(
        dataclasses.replace(CAUSE, place="features.0.weight"), HEALTHY
    )


def test_rules_that_lack_the_same_stand_under_one_reason() -> None:
    """A log of another tool leaves fifty rules without what they need, for three reasons; the commonest comes first."""
    missing = [NotChecked("there is one rank only", "DI01", "rank-desync")]
    missing += [NotChecked("only watch() measures it", f"AC{number:02}", f"rule-{number}") for number in range(3)]
    rows = [plain(row) for row in not_checked_page(snapshot(diagnosis=Diagnosis((), tuple(missing))), 100)]
    assert rows[2:4] == ["Only watch() measures it.", "  rule-0 (AC00), rule-1 (AC01), rule-2 (AC02)"]
    assert rows[5:] == ["There is one rank only.", "  rank-desync (DI01)"]


def test_what_was_not_checked_says_why() -> None:
    """And with that, what would make it checkable."""
    text = "\n".join(plain(row) for row in not_checked_page(snapshot(), 100))
    assert "9 of 10 rules were checked." in text
    assert "saturated-activations (AC02)" in text
    assert "No sampled step has saturated_fraction." in text
    assert "saturated_fraction: Share of a sigmoid's or tanh's outputs" in text
    assert plain(not_checked_page(Snapshot("x"), 100)[0]) == "The rules have not run yet."
