"""The real thing: a process that writes a log, and the dashboard on it in a terminal of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PATIENCE = 30.0  # seconds; on a free machine all of it takes one
LEAVES_THE_SCREEN = b"\x1b[?1049l"

WRITER = """
import sys, time
from pathlib import Path
from trainhealth.records import EndRecord, RunInfo, StartRecord, StepRecord, encode, encode_info
import os
folder = Path(sys.argv[1])
folder.mkdir()
(folder / "run.json").write_bytes(encode_info(RunInfo(name="run", model="Net", total_steps=1000)))
with open(folder / "events-0.jsonl", "wb", buffering=0) as file:
    file.write(encode(StartRecord(step=0, time=time.time(), pid=os.getpid())))
    for step in range(1000):
        loss = 2.3 if step < 40 else float("nan")
        file.write(encode(StepRecord(step=step, time=time.time(), train_loss=loss, learning_rate=0.5)))
        time.sleep(0.01)
"""


class Terminal:
    """A terminal of 100x30 with the dashboard in it; what it draws is kept."""

    def __init__(self, run: Path, *options: str) -> None:
        self.drawn = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:  # the child: nothing may come back from here
            try:
                os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LC_ALL="C.UTF-8", HOME=str(run.parent))
                os.execv(sys.executable, [sys.executable, "-m", "trainhealth", "live", str(run), *options])
            finally:
                os._exit(127)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))

    def read(self) -> None:
        """Take in what is drawn within a tenth of a second."""
        if select.select([self.fd] if self.fd >= 0 else [], [], [], 0.1)[0]:
            try:
                self.drawn += os.read(self.fd, 1 << 16)
            except OSError:  # the other end is closed
                self.close()

    def until(self, *texts: str) -> None:
        """Read until all texts have been drawn."""
        deadline = time.monotonic() + PATIENCE
        while not all(text.encode() in self.drawn for text in texts):
            assert time.monotonic() < deadline, re.sub(rb"\x1b\[[^A-Za-z]*[A-Za-z]", b" ", self.drawn)[-3000:].decode()
            self.read()

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def exit_code(self) -> int:
        """Read on until the process has ended; return its exit code."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, "the dashboard does not end"

    def kill(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.close()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """The dashboard on a run that is not there yet."""
    terminal = Terminal(tmp_path / "run")
    yield terminal
    terminal.kill()


def test_a_real_run_is_followed_from_before_its_beginning_to_its_death(terminal: Terminal, tmp_path: Path) -> None:
    """Waiting, live, a NaN found while the run goes on, the process killed; then `q` restores the terminal."""
    terminal.until("waiting", "nothing to diagnose yet")
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "run")])
    try:
        terminal.until("live", "nonfinite-loss", "critical")
    finally:
        writer.kill()
        writer.wait()
    terminal.until("process gone")
    os.write(terminal.fd, b"q")
    assert terminal.exit_code() == 0
    assert LEAVES_THE_SCREEN in terminal.drawn
    assert b"Traceback" not in terminal.drawn


@pytest.mark.parametrize(
    ("how", "code"),
    [
        (b"\x03", 0),  # ctrl+c as a key
        (b"\x11", 0),  # ctrl+q, Textual's own
        (signal.SIGTERM, 128 + signal.SIGTERM),
        (signal.SIGHUP, 128 + signal.SIGHUP),
        (None, 128 + signal.SIGHUP),  # the terminal is closed
    ],
    ids=["ctrl+c", "ctrl+q", "SIGTERM", "SIGHUP", "closed terminal"],
)
def test_every_way_out_is_clean(terminal: Terminal, how: bytes | signal.Signals | None, code: int) -> None:
    """The process ends at once, says nothing, and leaves the terminal as it was."""
    terminal.until("Findings")
    if how is None:
        terminal.close()
    elif isinstance(how, bytes):
        os.write(terminal.fd, how)
    else:
        os.kill(terminal.pid, how)
    assert terminal.exit_code() == code
    assert how is None or LEAVES_THE_SCREEN in terminal.drawn
    assert b"Traceback" not in terminal.drawn


def test_a_new_critical_finding_alerts_in_every_way_asked_for(tmp_path: Path) -> None:
    """The bell, the terminal's notification, and a command that knows the finding."""
    told = tmp_path / "told"
    command = f'echo "$TRAINHEALTH_RULE at $TRAINHEALTH_STEP" > {told}.part; mv {told}.part {told}'
    terminal = Terminal(tmp_path / "run", "--alert", "bell,notify", "--alert", command)
    try:
        terminal.until("waiting", "nothing to diagnose yet")
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "run")])
        try:
            terminal.until("\x07", "run: learning-rate-too-high (and 1 more)")
        finally:
            writer.kill()
            writer.wait()
        os.write(terminal.fd, b"q")
        assert terminal.exit_code() == 0
    finally:
        terminal.kill()
    deadline = time.monotonic() + PATIENCE
    while not told.exists():
        assert time.monotonic() < deadline
    assert told.read_text().startswith("learning-rate-too-high at ")


@pytest.mark.parametrize("keys", [b"<>,.", b" "], ids=["steps", "pause"])
def test_a_replay_in_a_terminal_ends_cleanly(tmp_path: Path, keys: bytes) -> None:
    """A run of the samples, played again, with the keys of the replay."""
    sample = Path(__file__).parents[2] / "sample_logs" / "overfitting" / "sick"
    terminal = Terminal(sample, "--replay")
    try:
        terminal.until("replay", "Findings")
        os.write(terminal.fd, keys)
        terminal.until("‖")
        os.write(terminal.fd, b"q")
        assert terminal.exit_code() == 0
    finally:
        terminal.kill()
    assert LEAVES_THE_SCREEN in terminal.drawn
    assert b"Traceback" not in terminal.drawn
