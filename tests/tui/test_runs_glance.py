"""The quick look at a run."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.tui.run_folders import NOW, records, write_log, write_run
from trainhealth.errors import LogError
from trainhealth.records import (
    EndRecord,
    ErrorRecord,
    LayerEntry,
    LayoutRecord,
    Record,
    SampleRecord,
    StartRecord,
    StepRecord,
)
from trainhealth.tui import runs_glance
from trainhealth.tui.runs_glance import glance


def test_it_tells_how_far_the_run_is_and_how_it_does(tmp_path: Path) -> None:
    """Step, epoch, loss, settings, and that the log has ended."""
    seen = glance(write_run(tmp_path, [3.0, 2.0, 1.5], accuracy=0.5) / "events-0.jsonl")
    assert (seen.step, seen.epoch, seen.loss) == (2, 3, 1.5)
    assert (seen.view.ended, seen.view.last_time, seen.view.info.hyperparameters) == ("closed", NOW, {"width": 64})


def test_of_a_long_log_only_the_end_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken line in the middle is never seen, the process of the first record is."""
    monkeypatch.setattr(runs_glance, "TAIL", 400)
    log = write_log(tmp_path, records([1.0] * 200, pid=77))
    lines = log.read_bytes().splitlines(keepends=True)
    lines[50] = b'{"kind":"start","step":0,"time":0,"schema_version":99}\n'
    log.write_bytes(b"".join(lines))
    seen = glance(log)
    assert (seen.step, seen.view.pid, seen.view.ended) == (199, 77, "closed")


def test_it_reads_on_until_it_finds_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The samples of a thousand layers may be longer than the end that is read first."""
    monkeypatch.setattr(runs_glance, "TAIL", 300)
    layers = [LayerEntry(name=f"layer {number}", type="Linear") for number in range(50)]
    sample = SampleRecord(step=9, time=NOW, layout=0, layers={"activation_std": [0.123] * 50})
    many = [*records([0.5] * 10, ended=False), LayoutRecord(step=0, time=NOW, layout=0, layers=layers), *[sample] * 3]
    assert glance(write_log(tmp_path, many)).step == 9


def test_a_half_written_line_is_waited_for(tmp_path: Path) -> None:
    """It is no fault, and no part of the run so far."""
    log = write_log(tmp_path, records([1.0, 2.0], ended=False))
    with log.open("ab") as file:
        file.write(b'{"kind":"step","step":2,"ti')
    assert glance(log).step == 1


@pytest.mark.parametrize(
    ("last", "ended", "failed"),
    [
        ([EndRecord(step=1, time=NOW, reason="interrupted")], "interrupted", False),
        ([ErrorRecord(step=1, time=NOW, type="E"), EndRecord(step=1, time=NOW, reason="exception")], "exception", True),
        ([EndRecord(step=1, time=NOW), StartRecord(step=1, time=NOW, resumed=True, pid=5)], None, False),
        ([], None, False),
    ],
)
def test_the_end_of_a_log_tells_how_it_ended(
    tmp_path: Path, last: list[Record], ended: str | None, failed: bool
) -> None:
    """A resumed run has not: what stands before its start is history."""
    view = glance(write_log(tmp_path, [*records([1.0], ended=False), *last])).view
    assert (view.ended, view.error is not None) == (ended, failed)


@pytest.mark.parametrize(
    ("losses", "expected"),
    [([], None), ([2.0, math.nan], math.nan), ([math.nan, 2.0], 2.0), ([5.0] * 400 + [1.0] * 5 + [3.0] * 5, 2.0)],
)
def test_the_loss_is_the_mean_of_the_last_ones(tmp_path: Path, losses: list[float], expected: float | None) -> None:
    """One value is mostly noise; a last value that is no number is the news."""
    assert glance(write_log(tmp_path, records(losses))).loss == pytest.approx(expected, nan_ok=True)


def test_an_empty_log_has_nothing_to_tell(tmp_path: Path) -> None:
    """The run has only begun."""
    seen = glance(write_log(tmp_path, []))
    assert (seen.step, seen.epoch, seen.loss, seen.view.last_time) == (-1, None, None, 0.0)


def test_what_can_not_be_read_is_an_error(tmp_path: Path) -> None:
    """The caller says so in the table."""
    with pytest.raises(FileNotFoundError):
        glance(tmp_path / "events-0.jsonl")
    log = write_log(tmp_path, [StepRecord(step=0, time=NOW)])
    log.write_bytes(b'{"kind":"start","step":0,"time":1,"schema_version":99}\n')
    with pytest.raises(LogError, match="schema version 99"):
        glance(log)
    (tmp_path / "run.json").write_text("no json")
    with pytest.raises(LogError, match=r"not a run\.json"):
        glance(log)
