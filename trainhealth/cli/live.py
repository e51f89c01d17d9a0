"""``trainhealth live``: the dashboard, or one frame of it as text."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trainhealth.cli.exit_codes import ExitCode
from trainhealth.errors import LogError

if TYPE_CHECKING:
    from trainhealth.tui.look import Look


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option(
    "--once", is_flag=True, help="Print one frame as plain text and exit; so too where stdout is no terminal."
)
@click.option(
    "--glyphs",
    type=click.Choice(["braille", "block", "ascii"]),
    envvar="TRAINHEALTH_GLYPHS",
    show_envvar=True,
    help="What to draw with; by default, what the terminal's encoding allows.",
)
@click.option("--ascii", "glyphs", flag_value="ascii", help="The same as --glyphs ascii.")
def live(path: Path | None, once: bool, glyphs: str | None) -> int:
    """Follow the run at PATH while it trains: what is wrong, since when, and what to do.

    PATH is a run folder or a log, and need not be there yet; "-" is standard input (python train.py 2>&1 | trainhealth
    live -). Without PATH (or where PATH is a folder of runs) it is the run below the folder that was written to last.
    Press ? for the keys.
    """
    # these must be set before numpy and Textual are imported: drawing needs no pool of threads, and an empty NO_COLOR
    # (no-color.org) asks for nothing
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if os.environ.get("NO_COLOR") == "":
        del os.environ["NO_COLOR"]
    from trainhealth.tui.look import choose_look

    look = choose_look(glyphs, getattr(sys.stdout, "encoding", None) or "ascii", os.environ)
    if path is not None and str(path) == "-":
        return _piped(look, once)
    run = _run_at(path)
    if once or not _has_terminal():
        click.echo(_frame(run, look), nl=False)
        return ExitCode.OK
    from trainhealth.tui.app import run_dashboard

    return run_dashboard(run, look)


def _piped(look: Look, once: bool) -> int:
    """Follow standard input; without a terminal, or for one frame, wait for its end and then report.

    The report goes to stderr where stdout carries on what came in.
    """
    from trainhealth.cli.piped import PipedLog

    with PipedLog() as log:
        if not once and _has_terminal():
            from trainhealth.tui.app import run_dashboard

            return run_dashboard(log.path, look)
        log.wait()
        out = sys.stdout if sys.stdout.isatty() else sys.stderr
        if once:
            click.echo(_frame(log.path, look), nl=False, file=out)
            return ExitCode.OK
        from trainhealth.diagnosis import check
        from trainhealth.reports.text import TextFormat

        TextFormat().write([check(log.path)], out)
        return ExitCode.OK


def _run_at(path: Path | None) -> Path:
    """Return the run that `path` means; one that is not there yet is as good.

    Raises:
        LogError: no path was given, and there is no run below the current folder.
    """
    from trainhealth.cli.newest import DEPTH, find_newest_run
    from trainhealth.following import INFO

    if path is None:
        newest = find_newest_run(Path.cwd())
        if newest is None:
            raise LogError(
                f"there is no run in {Path.cwd()}, nor up to {DEPTH} folders below it",
                "Name a run folder; a script makes one with trainhealth.watch(model, optimizer).",
            )
        return newest.relative_to(Path.cwd())
    if path.name == INFO:
        return path.parent
    return (find_newest_run(path) if path.is_dir() else None) or path


def _has_terminal() -> bool:
    """Tell whether a person can see the dashboard and press keys; Textual draws on stderr and reads stdin.

    Where stdin comes from elsewhere (a pipe, /dev/null), the keys are read from the controlling terminal.
    """
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        return False
    if not sys.stdin.isatty():
        try:
            terminal = os.open("/dev/tty", os.O_RDWR)
        except OSError:
            return False
        os.dup2(terminal, 0)
        os.close(terminal)
    return True


def _frame(run: Path, look: Look) -> str:
    from trainhealth.tui.frame import frame_text, newest_snapshot
    from trainhealth.tui.reading import Reading

    return frame_text(newest_snapshot(Reading(run)), shutil.get_terminal_size().columns, look)
