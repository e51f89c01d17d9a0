"""``trainhealth info``: what a log holds, without judging it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from trainhealth.cli.described import format_option, run_fields, write_json
from trainhealth.cli.mapping import map_option, names_of
from trainhealth.cli.paths import GivenPath
from trainhealth.diagnosis import load
from trainhealth.loss_parts import COLUMN as COLUMN_EVENT
from trainhealth.readers.names import UNKNOWN
from trainhealth.records import EventRecord, OptimizerInfo, RunInfo, Skipped
from trainhealth.reports.page import LABEL, STRONG, Page, count
from trainhealth.rules.base import number
from trainhealth.series import Columns, RunView, Series
from trainhealth.signals import SIGNALS

COLUMN = 19  # at which values begin
SHOWN = 10  # events and skipped lines; more are counted


@click.command()
@click.argument("path", type=GivenPath())
@format_option
@map_option
def info(path: str, format_: str, mapped: tuple[str, ...]) -> None:
    """Say what the log at PATH holds: what is trained, how far it is, and which signals are there."""
    run = load(path, names=names_of(mapped))
    if format_ == "json":
        write_json(run_fields(run))
        return
    page = Page(sys.stdout)
    page.line((run.path, STRONG))
    for label, value in _facts(run.view):
        page.labelled(label, value, COLUMN)
    _write_signals(page, run.view)
    _write_columns(page, [event for event in run.view.events if event.event == COLUMN_EVENT])
    others = [event for event in run.view.events if event.event != COLUMN_EVENT]
    _write_list(page, "events", [f"step {event.step}  {_event(event)}" for event in others])
    _write_list(page, "skipped lines", [_skipped(line, run.view) for line in run.view.skipped])


def _facts(view: RunView) -> Iterator[tuple[str, str]]:
    """Yield what is known of the run, label by label."""
    info = view.info
    known = {
        "format": view.format,
        "run": info.name,
        "begun": f"{datetime.fromtimestamp(info.created, UTC):%Y-%m-%d %H:%M} UTC" if info.created else "",
        "model": info.model,
        "parameters": _parameters(info),
        "task": info.task or view.facts.get("task", ""),
        "loss function": view.facts.get("loss_function", ""),
        "device": info.device,
        "versions": _pairs(info.versions),
        "hyperparameters": _pairs(info.hyperparameters),
    }
    yield from ((label, str(value)) for label, value in known.items() if value)
    for optimizer in info.optimizers:
        yield "optimizer", _optimizer(optimizer)
    yield "state", _state(view)
    yield "steps", _progress(view)
    if view.epochs:
        yield "epochs", f"{len(view.epochs):,}"
    if len(view.ranks) > 1:
        yield "ranks", ", ".join(map(str, view.ranks))
    if sampling := _sampling(view):
        yield "sampled steps", sampling
    if view.thinned:
        yield (
            "looked at in part",
            f"{count(len(view.thinned), 'layer')} with large outputs: {', '.join(view.thinned[:8])}",
        )


def _parameters(info: RunInfo) -> str:
    if info.parameters == info.trainable_parameters:
        return f"{info.parameters:,}" if info.parameters else ""
    return f"{info.parameters:,}, {info.trainable_parameters:,} of them trained"


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _optimizer(optimizer: OptimizerInfo) -> str:
    """Say how it is set: what all parameter groups share and is not just off, and how many groups there are."""
    first = optimizer.groups[0] if optimizer.groups else {}
    shared = {
        name: value
        for name, value in first.items()
        if value not in (None, False) and all(group.get(name) == value for group in optimizer.groups)
    }
    named = f"{optimizer.name}: " if optimizer.name else ""
    groups = f"; {len(optimizer.groups)} parameter groups" if len(optimizer.groups) > 1 else ""
    return f"{named}{optimizer.type}({_pairs(shared)}){groups}"


def _state(view: RunView) -> str:
    if view.error:
        return f"ended: the script raised {view.error.type}: {view.error.message}"
    last = f"last record {datetime.fromtimestamp(view.last_time, UTC):%Y-%m-%d %H:%M:%S} UTC" if view.last_time else ""
    return f"ended ({view.ended})" if view.ended else f"not ended; {last}" if last else "not ended"


def _progress(view: RunView) -> str:
    done = view.series("train_loss").last_step + 1
    planned = f" of {view.info.total_steps:,}" if view.info.total_steps else ""
    speed = view.steps_per_second
    return f"{done:,}{planned}{f', at {number(speed)} a second' if speed == speed else ''}"


def _sampling(view: RunView) -> str:
    """Say at how many steps layers were measured, how often, and what that cost."""
    sampled = {int(step) for columns in view.columns_by_signal.values() for step in columns.steps}
    if not sampled:
        return ""
    parts = [f"{len(sampled):,}"]
    interval, cost = view.sampling.get("interval"), view.sampling.get("cost")
    if interval is not None and len(interval):
        parts.append(f"now every {count(int(interval.values[-1]), 'step').removeprefix('1 ')}")
    if cost is not None and len(cost):
        parts.append(f"{number(float(cost.values.mean()))} ms each")
    if (overhead := view.sampling.get("overhead")) is not None and len(overhead):
        share = f"{number(100 * float(overhead.values[-1]))} % of the time"
        parts.append(f"{share} in all, with the second that the start is allowed")
    return ", ".join(parts)


def _write_signals(page: Page, view: RunView) -> None:
    """Write what series there are and how long they are; our own signals first, in the order of `signals`."""
    order = {name: place for place, name in enumerate(SIGNALS)}
    names = sorted({*view.scalars, *view.columns_by_signal}, key=lambda name: (order.get(name, len(order)), name))
    width = max(map(len, names), default=0)
    for name in names:
        label = "signals" if name == names[0] else ""
        extent = _scalar(view.series(name)) if name in view.scalars else _columns(view.columns(name))
        unknown = "" if name in SIGNALS else ", which no rule reads"
        page.line("  ", (label.ljust(COLUMN - 2), LABEL), f"{name:{width}}  ", f"{extent}{unknown}")


def _scalar(series: Series) -> str:
    """Say how many values there are; learning rate and batch size are logged when they change."""
    bad = len(series) - len(series.finite())
    changes = " (logged when it changes)" if series.name in ("learning_rate", "batch_size") else ""
    return f"{count(len(series), 'value')}{changes}{f', {bad:,} of them not finite' if bad else ''}"


def _columns(columns: Columns) -> str:
    scope = SIGNALS[columns.signal].scope.value if columns.signal in SIGNALS else "place"
    places = f", {count(len(columns.places), scope)}" if scope != "batch" else ""
    return f"{count(len(columns), 'sampled step')}{places}"


def _write_columns(page: Page, events: list[EventRecord]) -> None:
    """Write how a foreign log's columns were understood, and what the log does not say."""
    told = [event.message for event in events if event.data.get("because") != UNKNOWN]  # the others stand above
    for message in told:
        page.labelled("columns" if message is told[0] else "", message, COLUMN)
    losses = [event for event in events if str(event.data.get("signal")).endswith("_loss")]
    if losses and not any("in bits" in str(event.data.get("because")) for event in losses):
        page.labelled("not known", "whether losses are means or sums, in nats or in bits: the log does not say", COLUMN)


def _event(event: EventRecord) -> str:
    return f"{event.event}: {event.message}" if event.message else event.event


def _skipped(line: Skipped, view: RunView) -> str:
    rank = f"rank {line.rank}, " if len(view.ranks) > 1 else ""
    return f"{rank}line {line.line}: {line.reason}" if line.line else f"{rank}{line.reason}"


def _write_list(page: Page, label: str, items: list[str]) -> None:
    shown = items[:SHOWN] + ([f"and {len(items) - SHOWN:,} more"] if len(items) > SHOWN else [])
    for item in shown:
        page.labelled(label if item is shown[0] else "", item, COLUMN)
