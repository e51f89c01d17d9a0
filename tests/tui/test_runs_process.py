"""The table of runs in a terminal of its own, on a folder in which runs come."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.tui.run_folders import write_run
from tests.tui.test_live_process import LEAVES_THE_SCREEN, Terminal

pytestmark = pytest.mark.slow


def test_runs_are_found_opened_and_left(tmp_path: Path) -> None:
    """A run that comes is there at once; enter opens it, r goes back, and q restores the terminal."""
    folder = tmp_path / "runs"
    for name in ("first", "second"):
        write_run(folder / name)
    terminal = Terminal(folder)
    try:
        terminal.until("2 runs", "first", "second", "nothing found")
        write_run(folder / "third-one")
        terminal.until("third-one")
        os.write(terminal.fd, b"\r")
        terminal.until("Findings")
        os.write(terminal.fd, b"r")
        terminal.drawn = b""
        terminal.until("3 runs")
        os.write(terminal.fd, b"q")
        assert terminal.exit_code() == 0
        assert LEAVES_THE_SCREEN in terminal.drawn
    finally:
        terminal.kill()


def test_a_signal_ends_the_table_too(tmp_path: Path) -> None:
    """With its threads: the exit code is that of the signal."""
    for name in ("first", "second"):
        write_run(tmp_path / "runs" / name)
    terminal = Terminal(tmp_path / "runs")
    try:
        terminal.until("2 runs")
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.exit_code() == 128 + signal.SIGTERM
        assert LEAVES_THE_SCREEN in terminal.drawn
    finally:
        terminal.kill()
