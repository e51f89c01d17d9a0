"""``trainhealth demo``: train a small net with an illness of your choice, and watch the diagnosis."""

from __future__ import annotations

import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import FrameType, TracebackType

import click

from trainhealth.cli.live import live
from trainhealth.cli.narration import say
from trainhealth.demo.programs import HEALTHY, ILLNESSES
from trainhealth.errors import TrainHealthError, UsageError
from trainhealth.hooks.run_folder import open_folder

PAUSE = 0.02  # seconds after each step while somebody watches: the training would be over in two seconds
PATIENCE = 5.0  # seconds that the training has to end its log before it is killed
NAMES = [HEALTHY.name, *(illness.name for illness in ILLNESSES)]


@click.command()
@click.option(
    "--illness",
    default="learning-rate-too-high",
    show_default=True,
    metavar="NAME",
    help="What goes wrong (or: healthy).",
)
@click.option("--list", "list_", is_flag=True, help="Name the illnesses and exit.")
@click.option("--run-dir", type=click.Path(path_type=Path), help="Where to log (default: runs/demo-NAME).")
@click.option("--epochs", type=click.IntRange(min=1), help="How long to train (default: long enough for the illness).")
def demo(illness: str, list_: bool, run_dir: Path | None, epochs: int | None) -> None:
    """Train a small net on real digits with a planted illness, and watch it being found.

    In a terminal the dashboard opens on the log while the net trains (slowly enough to watch). Elsewhere the net
    trains, progress goes to stderr, and the diagnosis to stdout.
    """
    if list_:
        width = max(map(len, NAMES))
        for one in (HEALTHY, *ILLNESSES):
            click.echo(f"{one.name:<{width}}  {one.what}")
        return
    if illness not in NAMES:
        raise UsageError(f"there is no illness {illness!r}", f"Illnesses: {', '.join(NAMES)}.")
    for module, package in (("torch", "torch"), ("sklearn", "scikit-learn")):
        if find_spec(module) is None:
            raise UsageError(f"the demo needs {package}, which is not installed", "pip install 'trainhealth[demo]'")
    folder = open_folder(run_dir or Path("runs") / f"demo-{illness}", illness, resume=False)
    watching = sys.stdout.isatty() and sys.stderr.isatty()
    with Training(illness, folder, epochs, watched=watching) as training:
        if watching:
            click.get_current_context().invoke(live, path=folder, once=False, glyphs=None)
            return
        say(f"training on digits, illness: {illness}; log: {folder}")
        code = training.wait()
    if code:
        raise TrainHealthError(f"the demo's training ended with exit code {code}", f"Its log is in {folder}.")
    from trainhealth.diagnosis import check
    from trainhealth.reports.text import TextFormat

    TextFormat().write([check(folder)], sys.stdout)


class Training:
    """The demo's training in a process of its own, which never outlives this one."""

    def __init__(self, illness: str, folder: Path, epochs: int | None, *, watched: bool) -> None:
        command = [sys.executable, "-m", "trainhealth.demo", "--illness", illness, "--run-dir", str(folder)]
        command += ["--epochs", str(epochs)] if epochs else []
        command += ["--pause", str(PAUSE)] if watched else []
        # its standard input is a pipe from us: when we are gone, however we went, it sees the end and stops
        self._process = subprocess.Popen(
            [*command, "--end-with-stdin"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if watched else None,
            start_new_session=True,  # Ctrl-C reaches us alone, and we end it in order
        )

    def __enter__(self) -> Training:
        self._previous = signal.signal(signal.SIGTERM, _raise_exit)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGTERM, self._previous)
        self.end()

    def wait(self) -> int:
        """Wait until the training has ended by itself; return its exit code."""
        return self._process.wait()

    def end(self) -> None:
        """Ask the training to end its log and wait for it; kill it if it does not."""
        process = self._process
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _raise_exit(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
