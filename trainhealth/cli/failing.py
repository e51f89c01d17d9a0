"""``--fail-on``: from which severity on a finding makes the exit code 1, in every command that judges."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

from trainhealth.cli.exit_codes import ExitCode
from trainhealth.findings import Finding, Severity

NEVER = "never"


def fail_on_option(
    *levels: Severity, default: str = Severity.CRITICAL.value, of: str = "a finding"
) -> Callable[[Any], Any]:
    """Return the option, with these severities to choose from besides "never"; `of` says which findings count."""
    return click.option(
        "--fail-on",
        type=click.Choice([*(level.value for level in levels), NEVER]),
        default=default,
        show_default=True,
        help=f"Least severity of {of} that makes the exit code 1.",
    )


def fails(findings: Iterable[Finding], fail_on: str) -> bool:
    """Tell whether a finding is as severe as the option's value, or more."""
    if fail_on == NEVER:
        return False
    least = Severity(fail_on).rank
    return any(finding.severity.rank <= least for finding in findings)


def exit_code_of(findings: Iterable[Finding], fail_on: str) -> ExitCode:
    """Return how a command ends that has found `findings`."""
    return ExitCode.FOUND if fails(findings, fail_on) else ExitCode.OK
