"""``--format json`` of the commands that describe: `rules`, `explain`, `info` (the form: ``docs/json-report.md``)."""

from __future__ import annotations

import dataclasses
import inspect
import json
from typing import Any

import click
import msgspec

from trainhealth.catalogue import known_faults
from trainhealth.diagnosis import Run
from trainhealth.recipes import Recipe
from trainhealth.records import EventRecord
from trainhealth.rules.base import Fault, Rule
from trainhealth.signals import Signal

SCHEMA_VERSION = 1

format_option = click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people or for programs.",
)


def write_json(fields: dict[str, Any]) -> None:
    """Write one JSON document to stdout."""
    document = {"schema_version": SCHEMA_VERSION, **fields}
    click.echo(json.dumps(document, indent=2, default=str, allow_nan=False))


def rule_fields(rule: type[Fault]) -> dict[str, Any]:
    """Return what is known of a rule."""
    return {
        "code": rule.code,
        "name": rule.name,
        "topic": rule.topic,
        "severity": str(rule.severity),
        "confidence": str(rule.confidence),
        "since": rule.since,
        "requires": list(rule.requires) if issubclass(rule, Rule) else [],
        "uses": list(rule.uses) if issubclass(rule, Rule) else [],
        "documentation": inspect.getdoc(rule) or "",
        "options": [
            {"name": field.name, "default": field.default, **field.metadata}
            for field in dataclasses.fields(rule.Options)
        ],
        "references": [dataclasses.asdict(reference) for reference in rule.references],
    }


def recipe_fields(recipe: Recipe) -> dict[str, Any]:
    """Return what is known of a recipe."""
    return dataclasses.asdict(recipe)


def signal_fields(signal: Signal) -> dict[str, Any]:
    """Return what is known of a signal, and the rules that read it."""
    readers = [
        rule
        for rule in known_faults()
        if issubclass(rule, Rule)
        and signal.name in {name for need in (*rule.requires, *rule.uses) for name in need.split("|")}
    ]
    return {
        "name": signal.name,
        "scope": signal.scope.value,
        "unit": signal.unit,
        "meaning": signal.meaning,
        "read_by": [{"code": rule.code, "name": rule.name} for rule in readers],
    }


def run_fields(run: Run) -> dict[str, Any]:
    """Return what a log holds, without its values."""
    view = run.view
    signals = {name: {"values": len(series)} for name, series in view.scalars.items()}
    signals |= {
        name: {"values": len(columns), "places": len(columns.places)}
        for name, columns in view.columns_by_signal.items()
    }
    return {
        "path": run.path,
        "format": view.format,
        "run": msgspec.to_builtins(view.info),
        "facts": dict(view.facts),
        "ended": view.ended,
        "error": None if view.error is None else {"type": view.error.type, "message": view.error.message},
        "last_step": view.last_step,
        "epochs": len(view.epochs),
        "ranks": list(view.ranks),
        "signals": signals,
        "events": [_event(event) for event in view.events],
        "skipped": [{"line": line.line, "rank": line.rank, "reason": line.reason} for line in view.skipped],
    }


def _event(event: EventRecord) -> dict[str, Any]:
    return {"step": event.step, "event": event.event, "message": event.message, "data": event.data}
