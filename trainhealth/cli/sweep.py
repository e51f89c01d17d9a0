"""``trainhealth sweep``: what a search for hyperparameters says, and where to look next."""

from __future__ import annotations

import sys

import click

from trainhealth.cli.failing import NEVER, exit_code_of, fail_on_option
from trainhealth.cli.paths import GivenPath
from trainhealth.findings import Severity
from trainhealth.reports.sweep_markdown import markdown
from trainhealth.reports.sweep_text import write_text
from trainhealth.sweeping import GOALS
from trainhealth.sweeping import sweep as read_and_judge


@click.command()
@click.argument("table", metavar="TABLE", type=GivenPath())
@click.option("--score", metavar="NAME", help="Column (of runs: signal) by which trials are compared.")
@click.option("--goal", type=click.Choice(sorted(GOALS)), help="Whether a high or a low score is good.")
@click.option("--study", metavar="NAME", help="Study in an Optuna storage; the newest where it is not given.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="For people or for programs.",
)
@fail_on_option(Severity.WARNING, Severity.NOTE, default=NEVER)
def sweep(table: str, score: str | None, goal: str | None, study: str | None, format_: str, fail_on: str) -> int:
    """Say what a search has found: which settings matter, where the best lies, and where to look next.

    TABLE is a CSV or JSON-lines file with a row a trial, an Optuna storage (SQLite or a journal), or a folder of runs.
    """
    report = read_and_judge(table, score=score, goal=goal, study=study)
    if format_ == "json":
        sys.stdout.write(report.to_json())
    elif format_ == "markdown":
        sys.stdout.write(markdown(report))
    else:
        write_text(report, sys.stdout)
    return exit_code_of(report.findings, fail_on)
