"""``trainhealth live FOLDER`` where there is no terminal: the table of the runs as text."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tui.run_folders import write_run
from trainhealth.cli import main
from trainhealth.cli.exit_codes import ExitCode


@pytest.fixture(autouse=True)
def _plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NO_COLOR", "TRAINHEALTH_GLYPHS"):
        monkeypatch.delenv(name, raising=False)


def test_a_folder_of_several_runs_is_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of them with what was found, the newest first; data, no escape codes."""
    write_run(tmp_path / "runs" / "good", [2.0, 1.0], accuracy=0.75)
    write_run(tmp_path / "runs" / "deep" / "bad", [2.0, math.nan])
    assert main(["live", "runs"]) == ExitCode.OK
    printed = capsys.readouterr()
    title, blank, head, *rows = printed.out.splitlines()
    assert (title.split()[:3], blank) == (["runs", "2", "runs"], "")
    assert head.split()[:2] == ["run", "state"]
    assert "deep/bad" in rows[0]
    assert "NaN" in rows[0]
    assert "✖" in rows[0]
    assert "acc 0.750  ✓ nothing found" in rows[1]
    assert "\x1b" not in printed.out
    assert all(not line.endswith(" ") for line in printed.out.splitlines())


def test_one_run_in_a_folder_is_shown_straight_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log of another tool too."""
    write_run(tmp_path / "runs" / "only")
    assert main(["live", "runs"]) == ExitCode.OK
    assert "ended  only" in capsys.readouterr().out.splitlines()[0]
    lines = "".join(f"{epoch},{2.0 / (epoch + 1)}\n" for epoch in range(8))
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "training.csv").write_text(f"epoch,loss\n{lines}")
    assert main(["live", "foreign"]) == ExitCode.OK
    assert "training.csv" in capsys.readouterr().out.splitlines()[0]


def test_an_empty_folder_waits_for_its_first_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder itself may become it."""
    (tmp_path / "runs").mkdir()
    assert main(["live", "runs"]) == ExitCode.OK
    assert "waiting" in capsys.readouterr().out


def test_a_run_that_can_not_be_read_is_told_by_its_row_and_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are there all the same."""
    write_run(tmp_path / "runs" / "a")
    (write_run(tmp_path / "runs" / "b") / "run.json").write_text("{")
    assert main(["live", "runs", "--once"]) == ExitCode.UNREADABLE
    out = capsys.readouterr().out
    assert "✖ unreadable" in out
    assert "✓ nothing found" in out


def test_the_table_is_printed_in_ascii_where_it_has_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the same columns."""
    write_run(tmp_path / "runs" / "a")
    write_run(tmp_path / "runs" / "b")
    assert main(["live", "runs", "--ascii"]) == ExitCode.OK
    assert capsys.readouterr().out.isascii()


def test_the_table_as_text_loads_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    """No torch, no pandas, and neither textual nor watchdog for one frame."""
    write_run(tmp_path / "runs" / "a")
    write_run(tmp_path / "runs" / "b")
    absent = {"torch", "textual", "watchdog", "pandas"}
    code = f"""
from trainhealth.cli import main; main(['live', 'runs'])
import sys; print(*sorted({absent!r} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.split() == []


def test_following_runs_loads_no_torch() -> None:
    """It stands beside the job for days."""
    code = "import sys, trainhealth.tui.runs_screen; print('torch' in sys.modules or 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"
