"""The top of the screen: what trains, how far it is, how fast, whether it is alive."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from trainhealth.rules.base import number
from trainhealth.series import RunView
from trainhealth.tui.amounts import count, duration, pace
from trainhealth.tui.lines import Line, Span, clip, line, spread, width_of
from trainhealth.tui.signs import PAUSED, state_sign
from trainhealth.tui.snapshot import Snapshot, State


def header_lines(snapshot: Snapshot, width: int, behind: int | None = None) -> list[Line]:
    """Return two lines, and a third where there is more to say.

    `behind` is how many steps a paused screen lags; None while it is not paused.
    """
    view, condition = snapshot.view, snapshot.condition
    state = _state(snapshot, behind)
    parts = _progress(view, live=condition.state is State.LIVE)
    name = Span(Path(snapshot.path).name or snapshot.path, "title")
    model = line(Span(f"  {_model(view)}", "label"))
    path = line(Span(f"{snapshot.path} ", "label"))
    left = line(" ", *state, "  ", name)
    while len(parts) > 1 and width_of(left) + len(" · ".join(parts)) + 2 > width:
        parts.pop()
    lines = [
        spread(left, line(" · ".join(parts), " "), width),
        clip(model, width) if width_of(model) + width_of(path) >= width else spread(model, path, width),
    ]
    notice = _notice(snapshot)
    return [*lines, clip(notice, width)] if notice else lines


def _state(snapshot: Snapshot, behind: int | None) -> Line:
    if behind is not None:
        lag = f", {count(behind)} steps behind" if behind > 0 else ""
        return line(Span(f"{PAUSED} paused{lag}", "warning"))
    glyph, role = state_sign(snapshot.condition.state)
    return line(Span(f"{glyph} {snapshot.condition.state}", role))


def _progress(view: RunView, *, live: bool) -> list[str]:
    """Return how far the run is and, while it is live, how long it will take; what matters most comes first."""
    if view.last_step < 0:
        return []
    total, speed = view.info.total_steps, view.steps_per_second
    share = f" of {count(total)} ({min((view.last_step + 1) / total, 1.0):.0%})" if total else ""
    parts = [f"step {count(view.last_step)}{share}"]
    if live and total and total > view.last_step + 1 and math.isfinite(speed):
        parts.append(f"{duration((total - view.last_step - 1) / speed)} left")
    if view.epochs:
        parts.append(f"epoch {view.epochs[-1].number + 1}")
    if live and math.isfinite(speed):
        parts.append(pace(speed))
    return parts


def _model(view: RunView) -> str:
    info = view.info
    parts = [info.model]
    if info.parameters:
        parts.append(f"{count(info.parameters)} parameters")
    parts += [optimizer.type for optimizer in info.optimizers]
    rate, size = view.series("learning_rate"), view.series("batch_size")
    if len(rate):
        parts.append(f"rate {number(float(rate.values[-1]))}")
    if len(size):
        parts.append(f"batch {np.nanmax(size.values):.0f}")  # the last batch of an epoch is often a smaller one
    if len(view.ranks) > 1:
        parts.append(f"{len(view.ranks)} ranks")
    return " · ".join(part for part in parts if part)


def _notice(snapshot: Snapshot) -> Line:
    """Return what a person has to know about the log beside its state: one line, the most pressing first."""
    condition = snapshot.condition
    parts: list[str | Span] = []
    if condition.text:
        parts += [Span(f"  {condition.text}", state_sign(condition.state)[1])]
    if condition.hint:
        parts += [Span(f"  {condition.hint}", "label")]
    if snapshot.restarts:
        times = "" if snapshot.restarts == 1 else f" {snapshot.restarts} times"
        parts += [Span(f"  the log began anew{times} (truncated or replaced)", "warning")]
    if snapshot.view.skipped:
        first = snapshot.view.skipped[0]
        number = len(snapshot.view.skipped)
        lines = "1 line" if number == 1 else f"{count(number)} lines"
        parts += [Span(f"  {lines} of the log could not be read (line {first.line}: {first.reason})", "warning")]
    return line(*parts)
