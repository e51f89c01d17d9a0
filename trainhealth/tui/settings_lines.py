"""What is trained, and with which settings; beside them those of another run."""

from __future__ import annotations

import math
import time
from typing import Any

from trainhealth.comparison import settings_of
from trainhealth.records import RunInfo
from trainhealth.series import RunView
from trainhealth.tui.amounts import count
from trainhealth.tui.lines import Line, Span, line, paragraph, table

DIFFERS = "≠"


def run_lines(view: RunView, width: int) -> list[Line]:
    """Return what the log says about the run as a whole."""
    info = view.info
    frozen = info.parameters - info.trainable_parameters if info.trainable_parameters else 0  # 0: nobody has said
    facts = {
        "model": info.model,
        "parameters": f"{count(info.parameters)}{f', {count(frozen)} of them frozen' if frozen > 0 else ''}"
        if info.parameters
        else "",
        "task": info.task or str(view.facts.get("task") or ""),
        "loss": str(view.facts.get("loss_function") or ""),
        "device": info.device,
        "begun": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(info.created)) if info.created else "",
        "process": str(view.pid) if view.pid else "",
        "ranks": f"{len(view.ranks)} of {info.world_size}" if max(len(view.ranks), info.world_size) > 1 else "",
        "resumed": "at step " + ", ".join(map(count, view.resumed)) if view.resumed else "",
        "log": f"{view.format}, {count(len(view.scalars) + len(view.columns_by_signal))} signals",
    }
    rows = [(Span(name, "label"), text) for name, text in facts.items() if text]
    return [line(Span("Run", "title")), *table(rows, width)]


def settings_lines(info: RunInfo, other: tuple[str, RunInfo] | None, width: int) -> list[Line]:
    """Return the settings, what a person chose first; with another run, also its values where they differ."""
    mine = _settings(info)
    if not mine and other is None:
        return [line(Span("Settings", "title")), *paragraph("The log holds none.", width, role="label")]
    if other is None:
        rows: list[list[str | Span]] = [[Span(name, "label"), shown(value)] for name, value in mine.items()]
        return [line(Span("Settings", "title")), *table(rows, width)]
    name, info_of_other = other
    theirs = _settings(info_of_other)
    every = dict.fromkeys((*mine, *theirs))
    differing = [each for each in every if mine.get(each) != theirs.get(each)]
    title = f"{len(differing)} of {len(every)} differ from {name}" if differing else f"the same as in {name}"
    heads: list[str | Span] = ["", "", Span("here", "label"), Span(name, "label")]
    rows = [heads] if differing else []
    rows += [
        [
            Span(DIFFERS if each in differing else " ", "warning"),
            Span(each, "strong" if each in differing else "label"),
            Span(shown(mine[each]) if each in mine else "–", "strong" if each in differing else ""),
            Span(shown(theirs[each]) if each in theirs else "–", "validation") if each in differing else "",
        ]
        for each in (*differing, *[each for each in every if each not in differing])
    ]
    return [line(Span("Settings", "title"), "  ", Span(title, "value")), *table(_narrowed(rows, width), width)]


def shown(value: Any) -> str:
    """Return a setting as a person would write it."""
    if isinstance(value, float):
        return f"{value:g}" if math.isfinite(value) else str(value)
    if isinstance(value, list):
        return f"({', '.join(map(shown, value))})"
    return str(value)


def _settings(info: RunInfo) -> dict[str, Any]:
    """Return what was set: a person's own choices first, without what the description of the run says already."""
    known = {name: value for name, value in settings_of(info).items() if name not in ("model", "parameters", "task")}
    own = {name: known[name] for name in info.hyperparameters if name in known}
    return {name: value for name, value in (own | known).items() if value is not None}


def _narrowed(rows: list[list[str | Span]], width: int) -> list[list[str | Span]]:
    """Cut the cells so that every column can be seen."""
    most = max((width - 8) // 3, 8)

    def cut(cell: str | Span) -> Span:
        text, role = (cell.text, cell.role) if isinstance(cell, Span) else (cell, "")
        return Span(text if len(text) <= most else f"{text[: most - 1]}…", role)

    return [[cut(cell) for cell in row] for row in rows]
