"""What the dashboard costs: redraws, the first frame, the way of a line to the screen, and an hour beside a job.

    python -m benchmarks.dashboard [--only redraw first line beside fed runs] [--seconds 60] [--csv FILE]

The redraws are measured in this process, by its CPU time; the rest is the real thing, in a terminal of its own. Wall
times mean little on a machine that has other things to do: the CPU time of the dashboard's process stands beside them.
"""

from __future__ import annotations

import argparse
import dataclasses
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.dashboard_job import LAYERS, PACE, begin, run_job, steps
from trainhealth.growing import GrowingSeries
from trainhealth.records import RunInfo, StartRecord, encode, encode_info, encode_step
from trainhealth.series import RunView
from trainhealth.tui.board import Board
from trainhealth.tui.budget import LONGEST_WAIT
from trainhealth.tui.charts import Figure, draw_chart
from trainhealth.tui.feed import TIDY
from trainhealth.tui.figures import signal_figure
from trainhealth.tui.kept import Kept
from trainhealth.tui.look import Look
from trainhealth.tui.snapshot import Snapshot

CHARTS = 12
REPEAT = 10  # the fastest of so many counts: the machine has other things to do
PATIENCE = 120.0  # seconds that the dashboard has to show something
START = 10.0  # seconds before the first look: the start is dearer, and may be
SETTLED = 600.0  # seconds after which memory should not grow
LOOK = 30.0  # seconds between two looks at the dashboard's process beside a job
HOUR = 3_600  # seconds
PORTION = 60_000  # steps
RUNS = 100


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the dashboard runs beside a job")
    parser.add_argument("--csv", type=Path, help=f"where to write its CPU time and memory every {LOOK:.0f} s")
    options = parser.parse_args()
    parts = PARTS | {"beside": partial(beside, options.seconds, options.csv)}
    print("| what | measured | target |")
    print("|---|---|---|", flush=True)
    for part in options.only:
        for row in parts[part]():
            print(f"| {row} |", flush=True)


def redraws() -> Iterator[str]:
    """Draw twelve charts again after ten steps more, of runs of several lengths."""
    for length in (100_000, 1_000_000, 10_000_000):
        draw, grow = _growing_run(length)
        draw()
        times = []
        for _ in range(REPEAT):
            grow()
            times.append(_cpu(draw))
        target = "50 ms" if length == 100_000 else ""
        yield f"{CHARTS} charts of {length:,} points, ten more in each | {min(times) * 1e3:.0f} ms CPU | {target}"


def _growing_run(length: int) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return what draws the charts of a run, and what lets the run grow."""
    names = [f"signal {number}" for number in range(CHARTS)]
    values = np.random.default_rng(0).normal(size=length) + np.exp(-np.arange(length) / length)
    figures = [partial(_of_signal, name) for name in names]
    growing = {name: GrowingSeries() for name in names}
    for series in growing.values():
        series.extend(np.arange(length), values)
    board, shown = Board(), [Snapshot("")]

    def grow() -> None:
        for series in growing.values():
            series.extend(series.last_step + 1 + np.arange(10), values[:10])

    def draw() -> None:
        view = RunView(scalars={name: series.view(name) for name, series in growing.items()})
        shown[0] = dataclasses.replace(shown[0], view=view)
        for figure_of in figures:
            draw_chart(board.figure(figure_of, shown[0]), 58, 11, Look())

    return draw, grow


def _of_signal(name: str, view: RunView, _: object, kept: Kept, smoothing: int) -> Figure:
    return signal_figure(name, view, kept, smoothing)


def first_frames() -> Iterator[str]:
    """Open a run that is not there, a short run and a long one, each in a new process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases = (
            ("first frame, no log yet", folder / "none", 0, b"waiting", "0.5 s"),
            ("first curves, 1,000 steps", folder / "short", 1_000, "│".encode(), "0.5 s"),
            ("first curves, 1,000,000 steps", folder / "long", 1_000_000, "│".encode(), "1.5 s"),
        )
        for what, run, steps, needle, target in cases:
            if steps:
                _write_run(run, steps)
            yield f"{what} | {_first(run, needle)} | {target}"


def lines() -> Iterator[str]:
    """Write a line, and wait until its step stands on the screen."""
    with tempfile.TemporaryDirectory() as name:
        run = Path(name) / "run"
        _write_run(run, 1_000, stamp=time.time() - 10)
        with _dashboard(run) as terminal, (run / "events-0.jsonl").open("ab", buffering=0) as log:
            terminal.until(b"step 999")
            waits = []
            for step in range(1_000, 1_020):
                time.sleep(0.5 + 0.05 * (step % 7))  # not in step with the looks at the file
                begun = time.perf_counter()
                log.write(encode_step(step, time.time(), 1.0))
                terminal.until(f"step {step:,}".encode())
                waits.append(time.perf_counter() - begun)
        measured = f"median {statistics.median(waits):.2f} s, worst {max(waits):.2f} s"
        yield f"a line in the file to the screen | {measured} | 0.5 s median"


def beside(seconds: float = 60.0, table: Path | None = None) -> Iterator[str]:
    """Let a job write a hundred steps a second, with a hundred layers, and look at the dashboard's process."""
    with tempfile.TemporaryDirectory() as name:
        run = Path(name) / "run"
        over = threading.Event()
        job = threading.Thread(target=run_job, args=(run, over))
        job.start()
        try:
            with _dashboard(run) as terminal:
                terminal.until(b"live")
                terminal.rest(START)
                looks = list(_looks(terminal, seconds, table))
        finally:
            over.set()
            job.join()
    first, last = looks[0], looks[-1]
    settled = next(look for look in looks if look.second >= min(SETTLED, last.second / 2))
    share = (last.cpu - first.cpu) / (last.second - first.second)
    what = f"beside {PACE} steps/s x {LAYERS} layers, {seconds:.0f} s"
    memory = f"{first.memory:.0f} MB, after {settled.second:.0f} s {settled.memory:.0f}, at the end {last.memory:.0f}"
    yield f"{what} | {share:.1%} of a core, {memory} | 5 %, memory flat"


def fed() -> Iterator[str]:
    """Give the dashboard the log of an hour in portions, and look at its process when it has shown and judged each."""
    now = [0.0]  # of the job
    job = steps(lambda: now[0], time.time() - HOUR)
    memory = []
    with tempfile.TemporaryDirectory() as name:
        run = Path(name) / "run"
        with begin(run).open("ab", buffering=0) as log, _dashboard(run) as terminal:
            for written in range(PORTION, HOUR * PACE + 1, PORTION):
                for step in range(written - PORTION, written):
                    log.write(next(job))
                    now[0] = (step + 1) / PACE
                terminal.until(f"{written - 1:,}".encode())
                terminal.rest(LONGEST_WAIT + TIDY + 1.0)
                memory.append(terminal.memory())
            most = terminal.most_memory()
    steps_more = HOUR * PACE - PORTION
    what = f"the log of an hour ({HOUR * PACE:,} steps x {LAYERS} layers), in portions of {PORTION:,} steps"
    grown = f"{1e6 * (memory[-1] - memory[0]) / steps_more:.0f} bytes a step"
    looks = ", ".join(f"{held:.0f}" for held in memory)
    yield f"{what} | {looks} MB: {grown}; for a moment {most:.0f} MB | memory flat"


class Moment(NamedTuple):
    """The dashboard's process at one moment."""

    second: float
    cpu: float  # seconds that it has taken
    memory: float  # MB that are resident


def _looks(terminal: Terminal, seconds: float, table: Path | None) -> Iterator[Moment]:
    """Look at the process every `LOOK` seconds, and write what is seen as a table at once."""
    begun = time.monotonic()
    with table.open("w", buffering=1) if table is not None else nullcontext() as out:
        if out is not None:
            out.write("second,cpu_seconds,resident_mb\n")
        while True:
            look = Moment(time.monotonic() - begun, terminal.cpu(), terminal.memory())
            if out is not None:
                out.write(f"{look.second:.1f},{look.cpu:.2f},{look.memory:.1f}\n")
            yield look
            if look.second >= seconds:
                return
            terminal.rest(min(LOOK, seconds - look.second))


def many_runs() -> Iterator[str]:
    """Open the table of a folder of a hundred runs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(RUNS):
            _write_run(folder / f"run-{number:03}", 2_000)
        yield f"a table of {RUNS} runs of 2,000 steps | {_first(folder, b'run-0')} | 2 s"


PARTS: dict[str, Callable[[], Iterator[str]]] = {
    "redraw": redraws,
    "first": first_frames,
    "line": lines,
    "beside": beside,
    "fed": fed,
    "runs": many_runs,
}


class Terminal:
    """The dashboard's process in a terminal of 120x40, and what it has drawn since it was last asked."""

    def __init__(self, path: Path) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:  # the child: nothing may come back from here
            try:
                os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LC_ALL="C.UTF-8")
                os.environ.update(HOME=str(path.parent), XDG_STATE_HOME=str(path.parent / ".state"))
                # as it is installed: with its byte code
                os.environ.update(PYTHONPYCACHEPREFIX=str(path.parent / ".cache"), PYTHONDONTWRITEBYTECODE="")
                os.execv(sys.executable, [sys.executable, "-m", "trainhealth", "live", str(path)])
            finally:
                os._exit(127)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self._drawn = b""

    def until(self, text: bytes) -> None:
        """Read until `text` has been drawn; what was drawn before it is forgotten."""
        deadline = time.monotonic() + PATIENCE
        while text not in self._drawn:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{text!r} is not drawn; the end of what is: {self._drawn[-500:]!r}")
            self._read(0.05)
        self._drawn = self._drawn.partition(text)[2]

    def rest(self, seconds: float) -> None:
        """Take in what is drawn for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._read(0.05)
            self._drawn = b""

    def cpu(self) -> float:
        """Return the CPU seconds that the process has taken."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Return the resident memory of the process in MB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def most_memory(self) -> float:
        """Return the most memory in MB that has ever been resident."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6

    def close(self) -> None:
        """End the process."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._fd)

    def _read(self, seconds: float) -> None:
        if select.select([self._fd], [], [], seconds)[0]:
            self._drawn += os.read(self._fd, 1 << 16)


@contextmanager
def _dashboard(path: Path) -> Iterator[Terminal]:
    terminal = Terminal(path)
    try:
        yield terminal
    finally:
        terminal.close()


def _first(path: Path, needle: bytes) -> str:
    """Return how long a new dashboard takes to draw `needle`, the best of a few."""
    walls, cpus = [], []
    for _ in range(5):
        begun = time.perf_counter()
        with _dashboard(path) as terminal:
            terminal.until(needle)
            walls.append(time.perf_counter() - begun)
            cpus.append(terminal.cpu())
    return f"{min(walls):.2f} s, {min(cpus):.2f} s CPU"


def _cpu(what: Callable[[], None]) -> float:
    begun = time.process_time()
    what()
    return time.process_time() - begun


def _write_run(folder: Path, steps: int, stamp: float = 1.7e9) -> None:
    """Write a run that goes on, with a loss at every step."""
    folder.mkdir()
    (folder / "run.json").write_bytes(encode_info(RunInfo(model="Deep", total_steps=10 * steps)))
    losses = 0.3 + 2 * np.exp(-np.arange(steps) / steps * 5) + np.random.default_rng(0).normal(0, 0.05, steps)
    with (folder / "events-0.jsonl").open("wb") as log:
        log.write(encode(StartRecord(step=0, time=stamp)))
        for step, loss in enumerate(losses.tolist()):
            log.write(encode_step(step, stamp + step / 100, loss, learning_rate=0.1 if step == 0 else None))


if __name__ == "__main__":
    main()
