"""``trainhealth plugins``: what is installed beside the built-in parts."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import click

from trainhealth.cli.described import format_option, write_json
from trainhealth.plugins import ADAPTERS, GROUPS, failure, installed
from trainhealth.reports.page import LABEL, STRONG, Page


@click.command()
@click.option("--check", "try_all", is_flag=True, help="Import each, and say which fails and why.")
@format_option
def plugins(try_all: bool, format_: str) -> None:
    """List the installed plugins and adapters by group, without importing them."""
    rows = [_row(group, point, try_all) for group in (*GROUPS, ADAPTERS) for point in installed(group)]
    if format_ == "json":
        write_json({"plugins": rows})
        return
    page = Page(sys.stdout)
    if not rows:
        page.line("no plugins; what they can add: rules, readers, probes, reports, adapters (see CONTRIBUTING.md)")
        return
    listed = [(row["group"], row["name"], row["package"], _state(row["failure"], try_all)) for row in rows]
    page.listing([[str(cell) for cell in cells] for cells in listed], (LABEL, STRONG, LABEL))


def _row(group: str, point: EntryPoint, try_all: bool) -> dict[str, str | None]:
    package = f"{point.dist.name} {point.dist.version}" if point.dist else ""
    return {
        "group": group,
        "name": point.name,
        "package": package,
        "object": point.value,
        "failure": failure(point) if try_all else None,
    }


def _state(failed: str | None, tried: bool) -> str:
    return f"fails: {failed}" if failed else "works" if tried else ""
