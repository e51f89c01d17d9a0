"""The top of the screen: whether the run is alive, how far and how fast it is, whether it is healthy."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from trainhealth.rules.base import number
from trainhealth.series import RunView
from trainhealth.tui.amounts import count, duration, pace
from trainhealth.tui.lines import Line, Span, clip, line, paragraph, spread, width_of
from trainhealth.tui.remaining import planned_epochs, planned_steps, seconds_left
from trainhealth.tui.signs import PAUSED, state_sign
from trainhealth.tui.snapshot import OWN_FORMAT, Condition, Snapshot, State
from trainhealth.tui.verdict import remedy_line, verdict_line

_IN_FULL = (State.WAITING, State.UNREADABLE, State.BROKEN)  # states in which there is nothing that matters more


def header_lines(
    snapshot: Snapshot, width: int, behind: int | None = None, *, remedy: bool = False, model: bool = True
) -> list[Line]:
    """Return the state and the verdict; with `remedy` the first thing to do, with `model` what trains; and notices.

    `behind` is how many steps a paused screen lags; None while it is not paused.
    """
    lines = [_progress_line(snapshot, width, behind), verdict_line(snapshot, width)]
    if remedy:
        lines.append(remedy_line(snapshot, width))
    if model:
        lines.append(_model_line(snapshot, width))
    if snapshot.condition.state in _IN_FULL:
        lines += _told(snapshot.condition, width)
    else:
        lines.append(clip(_notice(snapshot), width))
    return [content for content in lines if content]


def _progress_line(snapshot: Snapshot, width: int, behind: int | None) -> Line:
    parts = _progress(snapshot.view, live=snapshot.condition.state is State.LIVE)
    name = Span(Path(snapshot.path).name or snapshot.path, "title")
    left = line(" ", *_state(snapshot, behind), "  ", name)
    while len(parts) > 1 and width_of(left) + len(" · ".join(parts)) + 2 > width:
        parts.pop()
    return spread(left, line(" · ".join(parts), " "), width)


def _model_line(snapshot: Snapshot, width: int) -> Line:
    """Return what trains, and where its log is; the path goes first where there is no room for both."""
    model = line(Span(f"   {_model(snapshot.view)}", "label"))
    path = line(Span(f"{snapshot.path} ", "label"))
    return clip(model, width) if width_of(model) + width_of(path) >= width else spread(model, path, width)


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
    total, speed, left = planned_steps(view), view.steps_per_second, seconds_left(view)
    share = f" of {count(total)} ({min((view.last_step + 1) / total, 1.0):.0%})" if total else ""
    parts = [f"step {count(view.last_step)}{share}"]
    if live and left > 0:
        parts.append(f"{duration(left)} left")
    if view.epochs:
        epochs = planned_epochs(view)
        parts.append(f"epoch {view.epochs[-1].number + 1}" + (f" of {epochs}" if epochs else ""))
    if live and math.isfinite(speed):
        parts.append(pace(speed))
    return parts


def _model(view: RunView) -> str:
    info = view.info
    parts = [info.model, "" if view.format == OWN_FORMAT else f"read as {view.format}"]
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


def _told(condition: Condition, width: int) -> list[Line]:
    """Return why nothing goes on, and what to do: all of it, as a path stands at its end."""
    role = state_sign(condition.state)[1]
    told = ((condition.text, role), (condition.hint, "label"))
    return [row for text, role in told if text for row in paragraph(text, width - 1, first="  ", indent=2, role=role)]


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
