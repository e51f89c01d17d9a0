"""``trainhealth live``: the dashboard, or one frame of it as text."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from trainhealth.cli.exit_codes import ExitCode
from trainhealth.cli.mapping import map_option, names_of
from trainhealth.cli.paths import GivenPath
from trainhealth.errors import LogError, UsageError

if TYPE_CHECKING:
    from trainhealth.tui.look import Look
    from trainhealth.tui.snapshot import State


@click.command()
@click.argument("path", required=False, type=GivenPath(path_type=Path))
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
@click.option("--replay", is_flag=True, help="Play a run again: space stops, < and > change the speed, , and . step.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    help="How many times as fast as the run was; by default it takes about a minute.",
)
@click.option(
    "--alert",
    "alerts",
    metavar="bell|notify|COMMAND",
    multiple=True,
    help="What to do on a new critical finding: ring, notify the desktop, or run a command.",
)
@click.option("--web", is_flag=True, help="Show the dashboard in a browser of this machine (needs textual-serve).")
@map_option
def live(
    path: Path | None,
    once: bool,
    glyphs: str | None,
    replay: bool,
    speed: float | None,
    alerts: tuple[str, ...],
    web: bool,
    mapped: tuple[str, ...],
) -> int:
    """Follow the run at PATH while it trains: what is wrong, since when, and what to do.

    PATH is a run folder or a log, and need not be there yet; "-" is standard input (python train.py 2>&1 | trainhealth
    live -). Of a folder of runs it is their table. Without PATH it is the run below this folder that was written to
    last. Press ? for the keys.
    """
    gc.disable()  # collections among the imports find nothing, and take a tenth of the time to the first frame
    click.get_current_context().call_on_close(gc.enable)
    # these must be set before numpy and Textual are imported: drawing needs no pool of threads, and an empty NO_COLOR
    # (no-color.org) asks for nothing
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if os.environ.get("NO_COLOR") == "":
        del os.environ["NO_COLOR"]
    from trainhealth.tui.alerts import parse_alerts
    from trainhealth.tui.look import choose_look

    if web:
        from trainhealth.cli.web import serve

        gc.enable()  # the server may run for days
        return serve(_again(path, glyphs, replay, speed, alerts, mapped))
    look = choose_look(glyphs, getattr(sys.stdout, "encoding", None) or "ascii", os.environ)
    if path is not None and str(path) == "-":
        return _piped(look, once, names_of(mapped))
    names, kinds = names_of(mapped), parse_alerts(alerts)
    runs = _runs_in(path)
    if path is not None and len(runs) > 1 and not replay:
        return _show_runs(path, look, names, kinds, once=once or not _has_terminal())
    run = runs[0] if len(runs) == 1 else _run_at(path)
    if once or not _has_terminal():
        return _print_frame(run, look, names)
    if replay:
        from trainhealth.tui.replay_screen import run_replay

        return run_replay(run, look, names, speed)
    from trainhealth.tui.app import run_dashboard

    return run_dashboard(run, look, names, kinds)


def _again(
    path: Path | None,
    glyphs: str | None,
    replay: bool,
    speed: float | None,
    alerts: tuple[str, ...],
    mapped: tuple[str, ...],
) -> list[str]:
    """Return the arguments of the command that shows the same dashboard, without --web.

    Raises:
        UsageError: it is that of a pipe, which every page would read a part of.
    """
    if path is not None and str(path) == "-":
        raise UsageError("--web can't follow standard input", "Name a run folder or a log file.")
    given = (
        ("--glyphs", glyphs),
        ("--speed", speed),
        *(("--alert", a) for a in alerts),
        *(("--map", m) for m in mapped),
    )
    options = [f"{name}={value}" for name, value in given if value is not None]
    return [*options, *(["--replay"] if replay else []), *(["--", str(path)] if path is not None else [])]


def _piped(look: Look, once: bool, names: Mapping[str, str]) -> int:
    """Follow standard input; without a terminal, or for one frame, wait for its end and then report.

    The report goes to stderr where stdout carries on what came in.
    """
    from trainhealth.cli.piped import PipedLog

    with PipedLog() as log:
        if not once and _has_terminal():
            from trainhealth.tui.app import run_dashboard

            return run_dashboard(log.path, look, names)
        log.wait()
        out = sys.stdout if sys.stdout.isatty() else sys.stderr
        if once:
            return _print_frame(log.path, look, names, out)
        from trainhealth.diagnosis import check
        from trainhealth.reports.text import TextFormat

        TextFormat().write([check(log.path, names=names)], out)
        return ExitCode.OK


def _runs_in(path: Path | None) -> list[Path]:
    """Return the runs below `path`, where it is a folder and no run itself."""
    from trainhealth.runs import is_run, runs_of

    try:
        return [] if path is None or not path.is_dir() or is_run(path) else [Path(run) for run in runs_of(str(path))]
    except (LogError, OSError):  # there is none yet, or the folder may not be read: whoever follows it says so
        return []


def _show_runs(folder: Path, look: Look, names: Mapping[str, str], alerts: tuple[str, ...], *, once: bool) -> int:
    """Show the table of runs, or print it."""
    if not once:
        from trainhealth.tui.app import run_table

        return run_table(folder, look, names, alerts)
    from trainhealth.tui.runs_frame import newest_runs, runs_frame_text
    from trainhealth.tui.runs_reading import RunsReading

    snapshot = newest_runs(RunsReading(folder, names))
    click.echo(runs_frame_text(snapshot, shutil.get_terminal_size().columns, look), nl=False)
    return _code({row.condition.state for row in snapshot.rows})


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
    if os.environ.get("TEXTUAL_DRIVER"):  # a browser, or whatever Textual has been told to draw on
        return True
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


def _print_frame(run: Path, look: Look, names: Mapping[str, str], out: TextIO | None = None) -> int:
    """Print one frame; a log that can't be read is told by the exit code too."""
    from trainhealth.tui.frame import frame_text, newest_snapshot
    from trainhealth.tui.reading import Reading

    snapshot = newest_snapshot(Reading(run, names))
    click.echo(frame_text(snapshot, shutil.get_terminal_size().columns, look), nl=False, file=out)
    return _code({snapshot.condition.state})


def _code(states: Set[State]) -> ExitCode:
    """Return the exit code for what was printed: a defect of ours weighs more than a log that can't be read."""
    from trainhealth.tui.snapshot import State as Known

    codes = {Known.BROKEN: ExitCode.DEFECT, Known.UNREADABLE: ExitCode.UNREADABLE}
    return next((code for state, code in codes.items() if state in states), ExitCode.OK)
