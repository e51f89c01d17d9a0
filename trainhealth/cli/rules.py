"""``trainhealth rules``: the illnesses that can be recognised."""

from __future__ import annotations

import inspect
import sys

import click

from trainhealth.catalogue import known_faults
from trainhealth.cli.described import format_option, rule_fields, write_json
from trainhealth.reports.page import LABEL, STRONG, Page
from trainhealth.rules.base import Fault


@click.command()
@format_option
def rules(format_: str) -> None:
    """List the illnesses that can be recognised: code, name, usual severity, and what is wrong."""
    if format_ == "json":
        write_json({"rules": [rule_fields(rule) for rule in known_faults()]})
        return
    page = Page(sys.stdout)
    page.listing(
        ((rule.code, rule.name, rule.severity, _summary(rule)) for rule in known_faults()),
        (LABEL, STRONG, LABEL),
    )


def _summary(rule: type[Fault]) -> str:
    return (inspect.getdoc(rule) or "").partition("\n")[0]
