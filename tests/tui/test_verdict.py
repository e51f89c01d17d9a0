"""The first glance."""

from __future__ import annotations

import dataclasses

import pytest

from tests.tui.cases import CAUSE, HEALTHY, OTHER, SICK, STATES, SYMPTOM, run, snapshot
from trainhealth.findings import Confidence, Diagnosis, NotChecked, Severity
from trainhealth.records import ErrorRecord, OptimizerInfo, RunInfo
from trainhealth.tui.lines import plain, width_of
from trainhealth.tui.snapshot import Condition, Snapshot, State
from trainhealth.tui.verdict import leading, remedy_line, verdict_line

ADVERSARIES = [OptimizerInfo(name=name, type="Adam") for name in ("netG", "netD")]


def verdict(shown: Snapshot, width: int = 200) -> str:
    return plain(verdict_line(shown, width)).strip()


def test_the_cause_comes_in_one_line_and_the_first_thing_to_do_in_another() -> None:
    """How ill, how sure, what, since when, the fact; and the remedy."""
    assert verdict(snapshot()) == f"✖ Probably sick: learning-rate-too-high since step 40  {CAUSE.message}"
    assert plain(remedy_line(snapshot(), 200)).strip() == "Do this: Lower the learning rate from 0.5 to 0.005."


@pytest.mark.parametrize(
    ("severity", "confidence", "word"),
    [
        (Severity.CRITICAL, Confidence.CERTAIN, "✖ Sick: "),
        (Severity.CRITICAL, Confidence.HINT, "✖ Perhaps sick: "),
        (Severity.WARNING, Confidence.LIKELY, "▲ Probably unwell: "),
        (Severity.NOTE, Confidence.HINT, "● Worth knowing: "),
    ],
)
def test_the_word_says_how_bad_and_how_sure(severity: Severity, confidence: Confidence, word: str) -> None:
    """A note is no illness, however sure it is."""
    finding = dataclasses.replace(CAUSE, severity=severity, confidence=confidence)
    assert verdict(snapshot(diagnosis=Diagnosis((finding,)))).startswith(f"{word}learning-rate-too-high")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (Snapshot("x"), "No verdict yet"),
        (snapshot(diagnosis=HEALTHY), "✓ Healthy so far  9 of 10 rules checked"),
        (snapshot(diagnosis=HEALTHY, condition=State.ENDED), "✓ Healthy  9 of 10 rules checked"),
        (snapshot(diagnosis=HEALTHY, condition=State.QUIET), "✓ Healthy  9 of 10 rules checked"),
        (snapshot(diagnosis=Diagnosis(), rules=0), "No verdict: no rule could be checked  n: why"),
    ],
)
def test_health_is_said_in_words(shown: Snapshot, expected: str) -> None:
    """And how much was looked at."""
    assert verdict(shown) == expected


def test_few_checks_are_no_health() -> None:
    """A log of losses alone lets most rules go unchecked; what could not be seen is not healthy."""
    unknown = tuple(NotChecked("only watch() measures it", f"AC{number:02}") for number in range(6))
    assert verdict(snapshot(diagnosis=Diagnosis((), unknown))) == (
        "✓ Nothing found, but only 4 of 10 rules checked  n: why"
    )


def test_a_muted_finding_is_no_verdict_and_is_counted() -> None:
    """What leads then is the next illness; with nothing left, the run is healthy but for what is muted."""
    assert leading(snapshot(muted=frozenset({CAUSE.id}))) == SYMPTOM
    assert leading(snapshot(muted=frozenset({CAUSE.id, SYMPTOM.id}))) == OTHER
    every = frozenset(finding.id for finding in SICK.findings)
    assert verdict(snapshot(muted=every)) == "✓ Healthy so far  9 of 10 rules checked, 3 muted"


def test_without_a_remedy_there_is_no_line_for_it() -> None:
    """Neither for an illness without one nor for health."""
    assert remedy_line(snapshot(diagnosis=Diagnosis((OTHER,))), 80) == ()
    assert remedy_line(snapshot(diagnosis=HEALTHY), 80) == ()


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("width", [200, 40, 5])
def test_nothing_is_wider_than_the_screen(name: str, width: int) -> None:
    """In every state."""
    assert width_of(verdict_line(STATES[name], width)) <= width
    assert width_of(remedy_line(STATES[name], width)) <= width


def test_a_short_run_that_has_ended_will_say_no_more() -> None:
    """It is not too early to tell, and will not be later."""
    early = Diagnosis((), (NotChecked("there is only one step", "LS05", "flat-loss"),))
    live = snapshot(run([2.3], epochs=[]), early)
    ended = dataclasses.replace(live, condition=Condition(State.ENDED))
    assert plain(verdict_line(live, 100)).endswith("too early to say more")
    assert plain(verdict_line(ended, 100)).endswith("too short to say more")


def test_a_long_run_of_adversaries_is_not_called_short() -> None:
    """No number of steps would tell more."""
    adversaries = dataclasses.replace(run(), info=RunInfo(optimizers=ADVERSARIES))
    silent = Diagnosis((), (NotChecked("two adversaries are trained", "LS03", "flat-loss"),))
    untrained = dataclasses.replace(adversaries, scalars=run([2.3] * 100, epochs=[]).scalars)
    assert verdict(snapshot(untrained, silent)).endswith("its loss does not measure progress")


def test_a_run_that_broke_off_is_not_called_healthy() -> None:
    """No rule found anything until its script raised; the header has the error."""
    broken = dataclasses.replace(run(), error=ErrorRecord(step=99, time=1.0, type="KeyError", message="'x'"))
    raised, killed = snapshot(broken, HEALTHY, State.FAILED), snapshot(run(), HEALTHY, State.GONE)
    assert verdict(raised) == "? Nothing found before the script raised KeyError  9 of 10 rules checked"
    assert verdict(killed) == "? Nothing found before the process was gone  9 of 10 rules checked"
