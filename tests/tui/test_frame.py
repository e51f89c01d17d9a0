"""One frame as plain text."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.cases import STATES, snapshot
from trainhealth.records import StartRecord, StepRecord, encode
from trainhealth.tui.frame import frame_text, newest_snapshot
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.reading import Reading
from trainhealth.tui.snapshot import State


@pytest.mark.parametrize("name", STATES)
def test_every_state_makes_a_frame(name: str) -> None:
    """No escape codes, no blanks at line ends, no line wider than the terminal."""
    text = frame_text(STATES[name], 80, Look())
    assert str(STATES[name].condition.state) in text.splitlines()[0]
    assert "\x1b" not in text
    assert all(row == row.rstrip() and len(row) <= 80 for row in text.splitlines())


def test_a_frame_shows_findings_curves_and_the_layers_that_the_finding_rests_on() -> None:
    """As the dashboard does, and without keys that nobody can press."""
    text = frame_text(snapshot(), 100, Look())
    assert "learning-rate-too-high" in text
    assert "do this" in text
    assert "Loss  ━ train" in text
    assert "Layers: update ratio" in text
    assert "press" not in text


def test_an_ascii_frame_is_ascii() -> None:
    """Colours carry nothing in it either."""
    assert frame_text(snapshot(), 100, Look(Glyphs.ASCII)).isascii()


def test_a_frame_waits_for_the_diagnosis_but_not_for_the_run(tmp_path: Path) -> None:
    """Everything that is there now is read and diagnosed; nothing that may come is waited for."""
    assert newest_snapshot(Reading(tmp_path / "nowhere")).condition.state is State.WAITING
    records = [StartRecord(step=0, time=1.0), StepRecord(step=0, time=1.0, train_loss=2.3)]
    (tmp_path / "events-0.jsonl").write_bytes(b"".join(map(encode, records)))
    newest = newest_snapshot(Reading(tmp_path))
    assert newest.view.last_step == 0
    assert newest.diagnosed
