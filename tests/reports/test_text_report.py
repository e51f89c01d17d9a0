"""The text report: the face of the product, held line by line."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.reports.diagnoses import DEAD, INITIAL, NONFINITE, NOT_CHECKED, RATE_TOO_HIGH, report
from trainhealth.errors import LogError
from trainhealth.findings import Finding, NotChecked, Severity
from trainhealth.readers.rows import ANOTHER_RUN
from trainhealth.records import EventRecord
from trainhealth.reports.base import Checked, Unreadable
from trainhealth.reports.facts import run_facts
from trainhealth.reports.text import TextFormat
from trainhealth.testing import make_run

GOLDEN = Path(__file__).parent / "golden"


def written(*checked: Checked) -> str:
    out = io.StringIO()
    TextFormat().write(checked, out)
    return out.getvalue()


# --- how it looks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "findings", "not_checked"),
    [
        ("sick", (RATE_TOO_HIGH, INITIAL, NONFINITE, DEAD), NOT_CHECKED),
        ("healthy", (), ()),
        ("healthy_as_far_as_it_goes", (), NOT_CHECKED[:2]),
        ("one_symptom_without_its_cause", (DEAD,), ()),
    ],
)
def test_a_run_looks_like_this(name: str, findings: tuple[Finding, ...], not_checked: tuple[NotChecked, ...]) -> None:
    """Look at the files in golden/ with your eyes when they change: they are what users see."""
    assert written(report(*findings, not_checked=not_checked)) == (GOLDEN / f"{name}.txt").read_text()


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal_or_ends_in_blanks(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what can't be broken (a command, a name) sticks out; prose is never wider than 100 columns."""
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = written(report(RATE_TOO_HIGH, NONFINITE, DEAD, not_checked=NOT_CHECKED)).splitlines()
    prose = [line for line in lines if re.match(r"  (because|then see|risk) |  \w+ .* \w+ .* ", line)]
    assert prose
    assert all(len(line) <= min(max(columns, 60), 100) for line in prose)
    assert all(line == line.rstrip() for line in lines)


# --- what it says, and in which order ---------------------------------------------------------------------------------


def test_the_cause_leads_and_symptoms_stand_under_it_without_advice_of_their_own() -> None:
    """One illness is one block: whoever follows the first advice has followed the right one."""
    text = written(report(RATE_TOO_HIGH, NONFINITE, DEAD))
    assert text.index("learning-rate-too-high") < text.index("nonfinite-loss") < text.index("dead-relu-units")
    assert "Find the first NaN" not in text
    assert "train_loss is NaN from step 41 on." in text
    assert "The first parameter with NaN" not in text


def test_every_finding_names_the_command_that_explains_it_and_every_remedy_its_recipe() -> None:
    """What the report has no room for is one command away."""
    text = written(report(RATE_TOO_HIGH, INITIAL))
    for command in ("explain OP01", "explain LS07", "explain lower-learning-rate", "explain warm-up"):
        assert f"trainhealth {command}\n" in text


def test_advice_comes_with_what_will_be_seen_and_what_may_go_wrong() -> None:
    """The amount is this run's own, and the reader can tell afterwards whether it worked."""
    words = " ".join(written(report(RATE_TOO_HIGH)).split())
    assert "try first Lower learning_rate from 0.5 to 0.005. because updates should be" in words
    assert "then see update_ratio near 0.003" in words
    assert "risk a rate that is too low looks like a plateau" in words
    assert "try next Let the rate grow" in words


def test_numbers_stand_with_their_decimal_points_under_each_other() -> None:
    """Ten layers are compared at a glance."""
    numbers = [line for line in written(report(RATE_TOO_HIGH)).splitlines() if "steps 4 to" in line]
    assert len(numbers) == 3
    assert len({line.index(".") for line in numbers}) == 1


def test_much_evidence_is_cut_and_counted() -> None:
    """A hundred dead layers do not push the advice off the screen; the JSON report holds all of them."""
    evidence = tuple(dataclasses.replace(RATE_TOO_HIGH.evidence[0], place=f"layer.{n}.weight") for n in range(100))
    text = written(report(dataclasses.replace(RATE_TOO_HIGH, evidence=evidence)))
    assert text.count("steps 4 to 16") == 6
    assert "and 94 more like these" in text


def test_a_severity_is_a_sign_and_a_word() -> None:
    """Colour is never the only carrier."""
    text = written(report(RATE_TOO_HIGH, dataclasses.replace(DEAD, caused_by=()), INITIAL))
    assert "✖ critical  learning-rate-too-high" in text
    assert "▲ warning  dead-relu-units" in text
    assert "● note  implausible-initial-loss" in text


def test_what_was_not_checked_is_grouped_by_reason() -> None:
    """A missing signal that silences ten rules is told once."""
    words = " ".join(written(report(INITIAL, not_checked=NOT_CHECKED)).split())
    assert "not checked overfitting, underfitting: the log has no validation_loss" in words
    assert words.count("the log has no validation_loss") == 1
    assert words.endswith("1 note; 3 rules not checked")


def test_many_reasons_and_many_rules_are_counted() -> None:
    """A table of losses lacks what most rules need: that must not push the findings off the screen."""
    hooks = tuple(NotChecked("only watch measures it", f"X{n}", f"rule-{n}") for n in range(30))
    others = tuple(NotChecked(f"reason {n}", f"Y{n}", f"other-{n}") for n in range(12))
    text = written(report(not_checked=(*others, *hooks)))
    words = " ".join(text.split())
    assert "not checked 30 rules (rule-0, rule-1, rule-2, …): only watch measures it other-0: reason 0" in words
    assert "and 8 rules for 8 other reasons, which --format json names" in words
    assert words.endswith("no findings; 42 rules not checked")
    assert len(text.splitlines()) < 16


def test_of_a_foreign_log_its_format_is_told_and_no_end() -> None:
    """It says nothing about the end; of several runs the last one is judged, and that is said."""
    event = EventRecord(step=0, time=0.0, event=ANOTHER_RUN, data={"runs": 3})
    foreign = dataclasses.replace(make_run([1.0] * 5), format="csv", events=(event,))
    assert run_facts(foreign) == "csv, the last of 3 runs in this log, 5 steps"


def test_a_run_of_which_nothing_could_be_checked_is_not_called_healthy() -> None:
    """Silence about missing signals would be read as health."""
    nothing = tuple(NotChecked("the log is too short", code, code) for code in ("LS01", "GE01", "GE02", "AC02"))
    text = written(report(not_checked=nothing))
    assert "healthy" not in text
    assert "nothing could be checked" in text


def test_several_runs_end_with_a_line_about_all() -> None:
    """One line for the last look: how many are sick, how many could not be read."""
    unreadable = Unreadable("runs/x", LogError("runs/x: gone"))
    text = written(report(path="runs/a"), unreadable, report(RATE_TOO_HIGH, path="runs/b"))
    assert text.endswith("\n\n3 runs: 1 with findings, 1 without, 1 could not be read\n")
    assert "runs/x" not in text  # stderr has it
    assert text.index("runs/a") < text.index("runs/b")


def test_a_run_is_written_before_the_next_one_is_diagnosed() -> None:
    """Checking a thousand runs shows the first at once."""
    out = io.StringIO()
    seen = []

    def runs() -> Iterable[Checked]:
        yield report(path="runs/a")
        seen.append(out.getvalue())
        yield report(path="runs/b")

    TextFormat().write(runs(), out)
    assert "runs/a" in seen[0]


# --- terminals --------------------------------------------------------------------------------------------------------


def test_in_a_pipe_there_is_no_escape_sequence() -> None:
    """Plain text, whatever the terminal of the reader can do."""
    assert "\x1b" not in written(report(RATE_TOO_HIGH, NONFINITE, DEAD, not_checked=NOT_CHECKED))


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_in_a_terminal_there_is_colour_and_the_same_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its colours the terminal's text is that of the pipe."""
    monkeypatch.setenv("TERM", "xterm-256color")
    out = _Terminal()
    TextFormat().write([report(RATE_TOO_HIGH, NONFINITE)], out)
    assert "\x1b[1;31m✖ critical" in out.getvalue()
    assert re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()) == written(report(RATE_TOO_HIGH, NONFINITE))


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    """https://no-color.org: no colours, though bold and dim may stay."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    out = _Terminal()
    TextFormat().write([report(RATE_TOO_HIGH)], out)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", out.getvalue())


def test_a_terminal_without_unicode_gets_signs_of_its_own() -> None:
    """An ASCII stream shows x, ! and - where others show symbols."""
    buffer = io.BytesIO()
    out = io.TextIOWrapper(buffer, encoding="ascii", errors="replace")
    TextFormat().write([report(RATE_TOO_HIGH, NONFINITE, DEAD)], out)
    out.flush()
    text = buffer.getvalue().decode("ascii")
    assert "x critical  learning-rate-too-high" in text
    assert "! dead-relu-units" in text
    assert "?" not in text


def test_a_log_cannot_steer_the_terminal() -> None:
    """Names come from logs: control characters in them are shown as such, not sent."""
    evil = dataclasses.replace(INITIAL, message="loss of \x1b]0;owned\x07 is odd.", severity=Severity.NOTE)
    text = written(report(evil))
    assert "\x1b" not in text
    assert "\x07" not in text


def test_three_illnesses_are_written_in_full_and_the_others_in_a_line():
    """Nobody mends more than three things at a time; none is left out."""
    found = [dataclasses.replace(INITIAL, code=f"ZZ{i:02}", name=f"illness-{i}") for i in range(5)]
    out = io.StringIO()
    TextFormat().write([report(*found)], out)
    text = out.getvalue()
    assert text.count("\n  seen  ") == 3
    assert [f"illness-{i}" in text for i in range(5)] == [True] * 5
    assert "also" in text
