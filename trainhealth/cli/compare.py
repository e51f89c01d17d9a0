"""``trainhealth compare``: what differs between two runs, and whether the fix worked."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from trainhealth.cli.failing import exit_code_of, fail_on_option
from trainhealth.cli.mapping import map_option, names_of
from trainhealth.cli.paths import GivenPath
from trainhealth.comparison import Comparison, Difference, Verdict, level_words
from trainhealth.comparison import compare as compare_reports
from trainhealth.diagnosis import check
from trainhealth.errors import UsageError
from trainhealth.findings import Finding, Severity
from trainhealth.reports.comparison_markdown import markdown
from trainhealth.reports.page import GOOD, LABEL, STRONG, STYLES, Page, count

COLUMN = 13
SHOWN = 12  # settings and layers; the JSON holds all
_SIGNS = {Verdict.FIXED: None, Verdict.BETTER: None, Verdict.WORSE: Severity.CRITICAL, Verdict.MIXED: Severity.WARNING}


@click.command()
@click.argument("before", metavar="A", type=GivenPath())
@click.argument("after", metavar="B", type=GivenPath())
@click.option("--format", "format_", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
@fail_on_option(Severity.CRITICAL, Severity.WARNING, of="a finding that came with B")
@map_option
def compare(before: str, after: str, format_: str, fail_on: str, mapped: tuple[str, ...]) -> int:
    """Say what run B has that run A has not: findings, curves, settings, layers; and whether the fix worked.

    A finding is gone, or came, only if its rule could decide in both runs; the others are listed as unmatched.
    """
    if _same_file(before, after):
        raise UsageError(f"{before} and {after} are the same run", "Name the run before a change and the one after it.")
    names = names_of(mapped)
    compared = compare_reports(check(before, names=names), check(after, names=names))
    if format_ == "json":
        sys.stdout.write(compared.to_json())
    elif format_ == "markdown":
        sys.stdout.write(markdown(compared))
    else:
        _write(Page(sys.stdout), compared)
    return exit_code_of(compared.came, fail_on)


def _same_file(before: str, after: str) -> bool:
    try:
        return Path(before).samefile(after)
    except OSError:  # whoever opens it says what is wrong
        return False


def _write(page: Page, compared: Comparison) -> None:
    severity = _SIGNS.get(compared.verdict, Severity.NOTE)
    style = STYLES[severity] if severity else GOOD
    page.line((f"{page.sign(severity)} {compared.verdict}", style), f"  {compared.after.run.path}")
    page.line(("against", LABEL), f"  {compared.before.run.path}")
    page.prose(compared.because, 2)
    if compared.suspicion:
        page.prose(compared.suspicion, 2, STYLES[Severity.WARNING])
    page.line()
    for label, findings in compared.groups().items():
        for finding in findings:
            page.labelled(label, _finding(finding), COLUMN)
            label = ""
    for curve in compared.curves:
        ends = f"{level_words(curve.before)} -> {level_words(curve.after)}"
        page.labelled(curve.signal, f"{ends}, {curve.apart}", max(COLUMN, 22))
    _write_differences(page, "settings", compared.settings)
    _write_differences(page, "layers", compared.layers)


def _finding(finding: Finding) -> str:
    return f"{finding.name} ({finding.code}, {finding.severity}): {finding.message}"


def _write_differences(page: Page, label: str, differences: tuple[Difference, ...]) -> None:
    for item in differences[:SHOWN]:
        page.labelled(label, f"{item.name}: {_said(item.before)} -> {_said(item.after)}", COLUMN)
        label = ""
    if len(differences) > SHOWN:
        page.line(" " * COLUMN, (f"and {count(len(differences) - SHOWN, 'difference')} more", STRONG))


def _said(value: object) -> str:
    return "none" if value is None else f"{value}"
