"""``trainhealth demo``: trains for real, ends in a diagnosis or a dashboard, and leaves nothing behind."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import trainhealth
from trainhealth.demo.programs import HEALTHY, ILLNESSES

COMMAND = [sys.executable, "-m", "trainhealth", "demo"]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def test_the_list_names_the_illnesses(tmp_path: Path) -> None:
    """`--list` names the healthy run and every illness, on stdout."""
    result = run("--list", cwd=tmp_path)
    names = [line.split()[0] for line in result.stdout.splitlines()]
    assert names == [HEALTHY.name, *(illness.name for illness in ILLNESSES)]
    assert result.returncode == 0


def test_an_unknown_illness_is_a_usage_error(tmp_path: Path) -> None:
    """Exit code 2, the known names, and nothing made."""
    result = run("--illness", "melancholy", cwd=tmp_path)
    assert result.returncode == 2
    assert "no illness 'melancholy'" in result.stderr
    assert "dead-relu-units" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_without_a_terminal_the_diagnosis_goes_to_stdout(tmp_path: Path) -> None:
    """It trains, progress on stderr, and ends with the planted illness first, with exit code 0."""
    result = run(cwd=tmp_path)
    assert result.returncode == 0
    assert "epoch 20/20" in result.stderr
    assert "epoch" not in result.stdout.splitlines()[1]
    first = next(line for line in result.stdout.splitlines() if line.startswith(("✖", "x ", "X ")))
    assert "learning-rate-too-high" in first
    assert trainhealth.load(tmp_path / "runs" / "demo-learning-rate-too-high").view.ended == "closed"


@pytest.mark.slow
@pytest.mark.parametrize("way", ["ctrl-c", "q", "terminate", "hang up"])
def test_leaving_the_dashboard_leaves_nothing_behind(tmp_path: Path, way: str) -> None:
    """However the dashboard is left: the training ends, its log is readable, and the terminal is restored."""
    with in_terminal(tmp_path) as (terminal, process):
        log = tmp_path / "runs" / "demo-learning-rate-too-high" / "events-0.jsonl"
        output = wait_until(terminal, lambda: log.exists() and log.read_bytes().count(b'"kind":"step"') > 20)
        if way == "ctrl-c":
            os.write(terminal, b"\x03")
        elif way == "q":
            os.write(terminal, b"q")
        else:
            process.send_signal(signal.SIGTERM if way == "terminate" else signal.SIGHUP)
        output += wait_until(terminal, lambda: process.poll() is not None)
    view = trainhealth.load(log.parent).view
    assert view.skipped == ()
    assert view.last_step >= 20
    wait_until(None, lambda: not alive(view.pid))
    if way != "hang up":  # where there is no terminal any more there is nothing to restore
        assert output.count(b"\x1b[?1049h") == output.count(b"\x1b[?1049l")  # the alternate screen, entered and left
        assert output.rstrip().endswith(b"\x1b[?25h") or b"\x1b[?25h" in output  # the cursor is shown again


class in_terminal:  # noqa: N801  # reads as a function
    """The demo in a terminal of its own."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd

    def __enter__(self) -> tuple[int, subprocess.Popen[bytes]]:
        self.terminal, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "LINES": "30", "COLUMNS": "100"}
        self.process = subprocess.Popen(
            COMMAND, cwd=self.cwd, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)
        return self.terminal, self.process

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.terminal)


def wait_until(terminal: int | None, condition: object, seconds: float = 60.0) -> bytes:
    """Read what the terminal shows until the condition holds; fail after a generous time."""
    output, limit = b"", time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < limit, output[-2000:]
        if terminal is None:
            time.sleep(0.05)
        elif select.select([terminal], [], [], 0.05)[0]:
            try:
                output += os.read(terminal, 1 << 16)
            except OSError:  # the other end is closed
                terminal = None
    return output + (b"".join(rest(terminal)) if terminal is not None else b"")


def rest(terminal: int) -> Iterator[bytes]:
    while select.select([terminal], [], [], 0)[0]:
        try:
            piece = os.read(terminal, 1 << 16)
        except OSError:
            return
        if not piece:
            return
        yield piece


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
