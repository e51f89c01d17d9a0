"""Alerts: for what, how often, and in which ways."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from tests.tui.cases import CAUSE, HEALTHY, OTHER, SYMPTOM, snapshot
from tests.tui.screen import Clock, post, said
from trainhealth.errors import UsageError
from trainhealth.findings import Diagnosis, Finding
from trainhealth.tui.alerts import (
    COOL_DOWN,
    Watch,
    desktop_notification,
    parse_alerts,
    run_command,
    told,
    variables,
)
from trainhealth.tui.app import Dashboard
from trainhealth.tui.look import Look
from trainhealth.tui.snapshot import Snapshot, State


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock) -> Watch:
    """A dashboard that was there before the run."""
    watch = Watch(clock=clock)
    watch.new(Snapshot("runs/baseline"))
    watch.new(snapshot(condition=State.WAITING, diagnosis=HEALTHY, diagnosed=False))
    return watch


def found(*findings: Finding) -> Snapshot:
    return snapshot(diagnosis=Diagnosis(findings))


def test_a_new_critical_finding_is_told_once(watch: Watch, clock: Clock) -> None:
    """Also when it goes and comes again, long after."""
    assert watch.new(found()) == []
    assert watch.new(found(CAUSE)) == [CAUSE]
    for later in (found(CAUSE), found(), found(CAUSE)):
        clock.now += 2 * COOL_DOWN
        assert watch.new(later) == []


def test_a_warning_is_no_alert(watch: Watch) -> None:
    """Nobody is called back to the screen for it."""
    assert watch.new(found(OTHER)) == []


def test_what_was_there_when_the_dashboard_was_opened_is_not_new(clock: Clock) -> None:
    """Whoever opened it is looking at it; what comes later is."""
    watch = Watch(clock=clock)
    assert watch.new(Snapshot("runs/baseline")) == []
    assert watch.new(found(CAUSE)) == []
    assert watch.new(found(CAUSE, SYMPTOM)) == [SYMPTOM]


def test_between_two_alerts_there_is_rest(watch: Watch, clock: Clock) -> None:
    """What is found meanwhile is told with the next one, if it still holds."""
    third = dataclasses.replace(CAUSE, code="ZZ01")
    assert watch.new(found(CAUSE)) == [CAUSE]
    clock.now = COOL_DOWN / 2
    assert watch.new(found(CAUSE, SYMPTOM, third)) == []
    clock.now = COOL_DOWN
    assert watch.new(found(CAUSE, SYMPTOM)) == [SYMPTOM]


def test_a_muted_finding_is_no_alert(watch: Watch) -> None:
    """It is known."""
    assert watch.new(dataclasses.replace(found(CAUSE), muted=frozenset({CAUSE.id}))) == []


def test_a_log_that_begins_anew_is_another_run(watch: Watch, clock: Clock) -> None:
    """The same illness is news again."""
    assert watch.new(found(CAUSE)) == [CAUSE]
    clock.now = 2 * COOL_DOWN
    assert watch.new(dataclasses.replace(found(CAUSE), restarts=1)) == [CAUSE]


@pytest.mark.parametrize(
    ("texts", "kinds"),
    [
        ([], ()),
        (["bell"], ("bell",)),
        (["bell,notify"], ("bell", "notify")),
        (["bell", "bell", "echo a,b"], ("bell", "echo a,b")),
    ],
)
def test_alerts_are_named_one_by_one_or_together(texts: list[str], kinds: tuple[str, ...]) -> None:
    """A command may hold commas."""
    assert parse_alerts(texts) == kinds


@pytest.mark.parametrize("text", ["", "bell,,notify", " "])
def test_an_empty_alert_is_an_error(text: str) -> None:
    """It would look as if there were one."""
    with pytest.raises(UsageError, match="empty"):
        parse_alerts([text])


@pytest.mark.parametrize(
    ("environment", "begins"),
    [
        ({"TERM": "xterm-256color"}, "\x1b]9;trainhealth: "),
        ({"TERM": "foot"}, "\x1b]777;notify;trainhealth;"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7200"}, "\x1b]777;notify;trainhealth;"),
        ({"TERM": "tmux-256color", "TMUX": "/tmp/tmux"}, "\x1bPtmux;\x1b\x1b]9;trainhealth: "),
    ],
)
def test_a_notification_is_in_the_terminals_own_words(environment: dict[str, str], begins: str) -> None:
    """And nothing out of a log can end it early or steer the terminal."""
    sequence = desktop_notification("run: a\x07b\x1b[2J;c", environment)
    assert sequence.startswith(begins)
    inside = sequence.removeprefix(begins).removesuffix("\x1b\\").removesuffix("\x07")
    assert inside.isprintable()


def test_the_text_names_the_run_the_cause_and_how_many_more() -> None:
    """One line."""
    text = told([CAUSE, SYMPTOM], "baseline")
    assert text.startswith("baseline: learning-rate-too-high (and 1 more): The updates at")


def test_a_command_gets_the_finding_as_variables(tmp_path: Path) -> None:
    """Whatever stands in a log, no shell reads it."""
    hostile = dataclasses.replace(CAUSE, message='$(touch hacked) `touch hacked` "; touch hacked')
    wrote = tmp_path / "out"
    command = f'cd {tmp_path}; printf "%s|%s|%s" "$TRAINHEALTH_RULE" "$TRAINHEALTH_STEP" "$TRAINHEALTH_MESSAGE" > out'
    run_command(command, variables([hostile], "baseline", "runs/baseline"), pytest.fail).join()
    assert wrote.read_text() == f"learning-rate-too-high|40|{hostile.message}"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("echo no such room >&2; exit 3", "ended with 3: no such room"),
        ("exit 1", "ended with 1"),
        ("echo \0", "could not be run"),
    ],
)
def test_a_command_that_fails_says_so(command: str, said: str) -> None:
    """An alert that does not work must not be found out by the illness."""
    messages: list[str] = []
    run_command(command, {}, messages.append).join()
    assert said in messages[0]


async def test_a_dashboard_rings_for_what_comes_while_it_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once; and of another run that is opened, only for what comes then."""
    rung: list[int] = []
    monkeypatch.setattr(Dashboard, "bell", lambda app: rung.append(1))
    app = Dashboard(Path("runs/baseline"), Look(), lambda post: lambda: None, alerts=("bell",))
    async with app.run_test() as pilot:
        for shown in (found(), found(CAUSE), found(CAUSE)):
            await post(pilot, shown)
        assert rung == [1]
        app.follow_another(Path("runs/other"), lambda post: lambda: None)
        await post(pilot, dataclasses.replace(found(CAUSE), path="runs/other"))
        assert rung == [1]


async def test_a_command_that_fails_is_told_on_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what it said."""
    monkeypatch.setattr("trainhealth.tui.alerting.run_command", lambda command, known, failed: failed("it went wrong"))
    app = Dashboard(Path("runs/baseline"), Look(), lambda post: lambda: None, alerts=("send-mail",))
    async with app.run_test() as pilot:
        for shown in (found(), found(CAUSE)):
            await post(pilot, shown)
        assert said(pilot) == ["it went wrong"]
