"""A folder of everybody's logs: a verdict, or why there is none, for each of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.readers.kinds import KINDS
from trainhealth.cli import main
from trainhealth.cli.exit_codes import ExitCode

UNREADABLE = {"cut.db": b"SQLite format 3\0", "torn.jsonl": b'{"step": 1, "loss": 2\n', "empty.log": b""}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of each kind, each in a folder of its own, and some files that are none."""
    monkeypatch.chdir(tmp_path)
    for number, kind in enumerate(KINDS.values()):
        place = tmp_path / "logs" / f"{number:02}" / ("metrics" if kind.format == "mlflow" else "")
        place.mkdir(parents=True)
        (place / kind.file).write_bytes(kind.log)
    for name, data in UNREADABLE.items():
        (tmp_path / "logs" / name).write_bytes(data)
    return tmp_path / "logs"


@pytest.mark.slow
def test_every_log_has_a_verdict_or_a_reason(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no log is named, what can't be read says why, and every other one was judged by some rule, or by none
    for reasons that stand there; in the order of the names, however the processes take turns."""
    code = main(["check", "logs", "--format", "json"])
    out, err = capsys.readouterr()
    assert code in (ExitCode.OK, ExitCode.FOUND, ExitCode.UNREADABLE)
    runs = json.loads(out)["runs"]
    judged = [run for run in runs if "error" not in run]
    assert len(judged) == len(KINDS)
    assert [run["path"] for run in judged] == sorted(run["path"] for run in judged)
    assert all(run["findings"] or run["not_checked"] for run in judged)
    for name in UNREADABLE:
        assert name in out + err
    assert "Traceback" not in err


@pytest.mark.slow
def test_what_begins_like_no_log_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Settings and lists stand beside logs everywhere: one note tells of all of them."""
    (folder / "requirements.txt").write_text("torch>=2\n")
    (folder / "config.json").write_text('{"hidden_size": 64}')
    main(["check", "logs"])
    notes = [line for line in capsys.readouterr().err.splitlines() if "not judged, because" in line]
    assert len(notes) == 1
    assert "logs/config.json" in notes[0]
    assert "logs/requirements.txt" in notes[0]
