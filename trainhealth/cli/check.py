"""``trainhealth check``: the diagnosis of finished or growing runs, for people and for CI."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

import click

from trainhealth import plugins
from trainhealth.cli.cluster import check_on_cluster
from trainhealth.cli.exit_codes import ExitCode
from trainhealth.cli.failing import fail_on_option, fails
from trainhealth.cli.many import Place, Progress, check_all
from trainhealth.cli.mapping import map_option, names_of
from trainhealth.cli.narration import say, say_error
from trainhealth.cli.paths import GivenPath
from trainhealth.cli.remote import is_remote, runs_brought
from trainhealth.diagnosis import Run
from trainhealth.errors import LogError, UsageError
from trainhealth.findings import Severity
from trainhealth.readers.rows import ANOTHER_RUN
from trainhealth.reports.base import Checked, Format, Unreadable
from trainhealth.reports.page import count
from trainhealth.runs import find_runs

NAMED = 50  # files that were passed over, by their names

FORMATS: dict[str, type[Format]] = {part.name: part for part in plugins.load("trainhealth.reports")}

_EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:3}  {code.sentence}" for code in ExitCode)


@click.command(epilog=_EPILOG)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=GivenPath())
@click.option(
    "--format",
    "format_name",
    type=click.Choice(sorted(FORMATS)),
    default="text",
    show_default=True,
    help="For people or for programs.",
)
@fail_on_option(Severity.CRITICAL, Severity.WARNING)
@click.option("--dask", "cluster", metavar="ADDRESS", help="Spread over the workers of this Dask scheduler.")
@map_option
def check(paths: tuple[str, ...], format_name: str, fail_on: str, cluster: str | None, mapped: tuple[str, ...]) -> int:
    """Diagnose runs: what is wrong, why, and what to do.

    A PATH is a run folder (such as runs/baseline), a log file, a folder of those, a pattern ("runs/*"), or any of
    these elsewhere (s3://bucket/runs). The diagnosis goes to stdout; what can't be read is told on stderr.
    """
    verdict = _Verdict(fail_on)
    FORMATS[format_name]().write(verdict.over(_told(_checked(paths, names_of(mapped), cluster))), sys.stdout)
    return verdict.exit_code


def _checked(paths: tuple[str, ...], names: dict[str, str], cluster: str | None) -> Iterator[Checked]:
    """Yield every run that the paths mean, in their order."""
    with ExitStack() as stack:
        expanded: list[Place | Unreadable] = []
        for path in paths:
            try:
                expanded += _runs_of(path, stack, cluster)
            except LogError as error:
                expanded.append(Unreadable(path, error))
        runs = [one for one in expanded if isinstance(one, Place)]
        progress = stack.enter_context(Progress(len(runs)))
        reports = check_all(runs, names) if cluster is None else check_on_cluster(cluster, runs, names)
        for one in expanded:
            checked = one if isinstance(one, Unreadable) else next(reports)
            progress.hide()
            yield checked
            progress.advance()


def _runs_of(path: str, stack: ExitStack, cluster: str | None) -> list[Place]:
    if not is_remote(path):
        found = find_runs(path)
        _tell_what_was_passed_over(path, found.passed_over)
        return [Place(run, run) for run in found.runs]
    if cluster is not None:
        raise UsageError(
            f"{path} would be brought to this machine, where the workers of --dask do not see it",
            "Copy it to a folder that they share, or leave out --dask.",
        )
    return runs_brought(path, stack)


def _tell_what_was_passed_over(path: str, files: list[str]) -> None:
    if files:
        more = f" and {len(files) - NAMED:,} more" if len(files) > NAMED else ""
        which = f"{count(len(files), 'file')} not judged, because nothing at the beginning is like a log's"
        say(f"note: {path}: {which}: {', '.join(files[:NAMED])}{more} (see trainhealth info FILE)")


def _told(checked: Iterable[Checked]) -> Iterator[Checked]:
    """Say on stderr what can't be read, and what is not judged."""
    for one in checked:
        if isinstance(one, Unreadable):
            say_error(one.error)
        else:
            _tell_what_is_left_out(one.run)
        yield one


def _tell_what_is_left_out(run: Run) -> None:
    if skipped := len(run.view.skipped):
        lines, path = f"{skipped} line{'s' if skipped > 1 else ''}", run.path
        say(f"note: {path}: {lines} of the log can't be read; the rest is diagnosed (see trainhealth info {path})")
    if runs := max((event.data.get("runs", 0) for event in run.view.events if event.event == ANOTHER_RUN), default=0):
        say(f"note: {run.path}: {runs} runs in one log: the last one is diagnosed, the others are not")


class _Verdict:
    """Looks at what passes by on its way to the report, and knows the exit code in the end."""

    def __init__(self, fail_on: str) -> None:
        self._fail_on = fail_on
        self._failed = self._unreadable = False

    def over(self, checked: Iterator[Checked]) -> Iterator[Checked]:
        for one in checked:
            if isinstance(one, Unreadable):
                self._unreadable = True
            else:
                self._failed |= fails(one.findings, self._fail_on)
            yield one

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.FOUND if self._failed else ExitCode.UNREADABLE if self._unreadable else ExitCode.OK
