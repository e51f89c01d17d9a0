"""The table of runs: which columns have room, and how a run looks in one line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.cells import cell_len, set_cell_size

from trainhealth.reports.folding import fold
from trainhealth.tui.amounts import count, figure, short_count, short_duration
from trainhealth.tui.lines import ELLIPSIS, Line, Span, clip, line, spread, width_of
from trainhealth.tui.run_colours import LETTERS, run_role
from trainhealth.tui.runs_order import Order
from trainhealth.tui.runs_row import Depth, RunRow, RunsSnapshot
from trainhealth.tui.signs import HEALTHY, sign, state_sign
from trainhealth.tui.snapshot import State

GAP = 2  # blanks between columns
MARK = 3  # cells before the first column: the cursor, and the sign of a chosen run
_BAR = "▎"
_NEEDED = ("name", "state", "loss", "findings", "age")
_OPTIONAL = ("result", "step", "epoch", "settings")  # in this order, while there is room
_COLUMNS = ("name", "state", "step", "epoch", "loss", "result", "findings", "settings", "age")
_TITLES = {"name": "run", "result": "best", "settings": "what differs"}
_RIGHT = frozenset(("step", "epoch", "loss", "result", "age"))
_FIXED = {"step": 9, "epoch": 5, "loss": 7, "result": 11, "age": 6}
_SHORTEST = 8  # cells of a name, however little room there is
_LEAST = {"name": 28, "findings": 20, "settings": 24}
_MOST = {"name": 44, "findings": 48, "settings": 120}
_UNKNOWN = Span("…", "label")  # will be known when it has been read


@dataclass(frozen=True)
class Columns:
    """The columns that have room, with their widths; and the settings that differ between the runs."""

    widths: dict[str, int]
    settings: tuple[str, ...] = ()

    def starts(self) -> dict[str, int]:
        """Return the cell at which each column begins."""
        starts, cell = {}, MARK
        for name, width in self.widths.items():
            starts[name] = cell
            cell += width + GAP
        return starts


def columns_for(rows: Sequence[RunRow], width: int) -> Columns:
    """Return the columns for a table of `width` cells: what matters most comes first."""
    longest = max([cell_len(row.name) for row in rows], default=0)
    fixed = _FIXED | {"state": max([len(_state(row).text) for row in rows], default=8)}
    chosen = set(_NEEDED)
    room = width - _taken(chosen - {"name"}, fixed) - GAP
    fixed["name"] = max(min(longest, _LEAST["name"], room), _SHORTEST)
    settings = differing(rows)
    for name in _OPTIONAL:
        if name == "settings" and not settings:
            continue
        if _taken(chosen | {name}, fixed) <= width:
            chosen.add(name)
    spare = width - _taken(chosen, fixed)
    widths = {name: _least(name, fixed) for name in _COLUMNS if name in chosen}
    wanted = {"name": longest, "findings": _MOST["findings"], "settings": _MOST["settings"]}
    for name in ("name", "findings", "settings"):
        if name in widths:
            more = max(min(wanted[name] - widths[name], spare, _MOST[name] - widths[name]), 0)
            widths[name] += more
            spare -= more
    return Columns(widths, settings)


def _taken(chosen: set[str], fixed: dict[str, int]) -> int:
    return MARK + sum(_least(name, fixed) + GAP for name in chosen) - GAP


def _least(name: str, fixed: dict[str, int]) -> int:
    return fixed[name] if name in fixed else _LEAST[name]


def differing(rows: Sequence[RunRow]) -> tuple[str, ...]:
    """Return the names of the settings that are not the same in all runs that have been looked at."""
    known = [row.settings for row in rows if row.depth is not Depth.LISTED]
    names = dict.fromkeys(name for settings in known for name in settings)
    given = [name for row in rows for name in row.info.hyperparameters]  # what a person has named says most
    order = dict.fromkeys((*given, *names))
    return tuple(
        name
        for name in order
        if len({str(settings.get(name)) for settings in known}) > 1 and not name.endswith(" version")
    )


def head_line(columns: Columns, order: Order, *, reverse: bool) -> Line:
    """Return the titles of the columns, with an arrow at the one that the table is sorted by."""
    parts = [Span(" " * MARK)]
    for name, width in columns.widths.items():
        title = _TITLES.get(name, name)
        by = name == order.id
        text = f"{title} {'↑' if reverse else '↓'}" if by else title
        blank = Span(" " * max(width - len(text), 0))
        cell = Span(text[:width], "strong" if by else "label")
        parts += [*([blank, cell] if name in _RIGHT else [cell, blank]), Span(" " * GAP)]
    return line(*parts)


def row_line(row: RunRow, columns: Columns, now: float, *, selected: bool = False, colour: int | None = None) -> Line:
    """Return a run in one line; `colour` is the number of a chosen run's colour."""
    chosen = Span(" ") if colour is None else Span(LETTERS[colour], run_role(colour))
    parts: list[str | Span] = [Span(_BAR if selected else " ", "title"), chosen, " "]
    for name, width in columns.widths.items():
        cell = clip(_cell(name, row, columns, now, selected=selected), width)
        blank = Span(" " * (width - width_of(cell)))
        parts += [*([blank, *cell] if name in _RIGHT else [*cell, blank]), " " * GAP]
    return line(*parts)


def _cell(name: str, row: RunRow, columns: Columns, now: float, *, selected: bool) -> Line:
    match name:
        case "name":
            return _name(row.name, columns.widths[name], "strong" if selected else "")
        case "state":
            return line(_state(row))
        case "findings":
            return message_of(row)
        case "settings":
            return line(Span(_settings(row, columns.settings), "label"))
        case "result":
            return _result(row)
        case "loss":
            return line(_number(row.loss)) if row.depth is not Depth.LISTED else (_UNKNOWN,)
        case "step":
            return _step(row)
        case "epoch":
            return line("" if row.epoch is None else str(row.epoch + 1))
        case _:
            return line(Span(_age(row, now), "label"))


def _name(name: str, width: int, role: str) -> Line:
    """Return a name; of one that is too long the middle is left out, since runs often differ at the end."""
    if cell_len(name) > width:
        front = (width - 1) // 2
        back = set_cell_size(name[::-1], width - 1 - front)[::-1]
        name = f"{set_cell_size(name, front)}{ELLIPSIS}{back}"
    folder, slash, last = name.rpartition("/")
    return line(Span(folder + slash, "label"), Span(last, role))


def _state(row: RunRow) -> Span:
    if row.condition.state is State.READING:
        return _UNKNOWN
    glyph, role = state_sign(row.condition.state)
    return Span(f"{glyph} {row.condition.state}", role)


def message_of(row: RunRow) -> Line:
    """Return the first finding that a person should read; where there is none, what else there is to say."""
    state = row.condition.state
    if row.findings:
        first = row.findings[0]
        more = len(fold(row.findings)) - 1
        role = str(first.severity)
        return line(Span(f"{sign(first.severity)} ", role), first.name, Span(f" +{more}" if more else "", "label"))
    if state in (State.FAILED, State.UNREADABLE, State.BROKEN, State.GONE) and row.condition.text:
        return line(Span(row.condition.text, "label"))
    if row.findings is None:
        return (_UNKNOWN,)
    if not row.judged:
        return line(Span("no rule could be checked", "label"))
    return line(Span(f"{HEALTHY} ", "healthy"), Span(nothing_found(row), "label"))


def nothing_found(row: RunRow) -> str:
    """Return how it is said that a run has no findings to show."""
    return f"nothing found, {count(row.muted)} muted" if row.muted else "nothing found"


def _settings(row: RunRow, names: Sequence[str]) -> str:
    settings = row.settings
    return " · ".join(
        f"{name.removeprefix('optimizer.')} {_told(settings[name])}" for name in names if name in settings
    )


def _told(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _result(row: RunRow) -> Line:
    if row.best is None:
        return () if row.depth is Depth.READ else (_UNKNOWN,)
    kind = "acc" if row.best.signal.endswith("accuracy") else "loss"
    return line(Span(f"{kind} ", "label"), figure(row.best.value))


def _number(value: float | None) -> Span:
    if value is None:
        return Span("")
    return Span(figure(value), "" if math.isfinite(value) else "critical")


def _step(row: RunRow) -> Line:
    if row.step < 0:
        return () if row.depth is not Depth.LISTED else (_UNKNOWN,)
    total = row.info.total_steps
    open_end = total and row.step + 1 < total and row.condition.state in (State.LIVE, State.STALLED)
    share = f"{(row.step + 1) / total:.0%} " if total and open_end else ""
    return line(Span(share, "label"), short_count(row.step))


def _age(row: RunRow, now: float) -> str:
    if row.condition.state is State.LIVE:
        return "now"
    return short_duration(max(now - row.written, 0.0)) if row.written else ""


def title_lines(snapshot: RunsSnapshot, shown: int, words: str, width: int) -> list[Line]:
    """Return what stands above the table: the folder, how many runs there are and how they do."""
    folder = Path(snapshot.folder)
    name = Span(f" {folder.resolve().name or folder}", "title")
    if not snapshot.listed:
        return [line(name, Span("  looking for runs …", "label"))]
    runs = len(snapshot.rows)
    number = f"{count(runs)} run{'s' if runs != 1 else ''}"
    if words:
        number = f"{count(shown)} of {number} with “{words}”"
    states = [row.condition.state for row in snapshot.rows]
    told = [Span(f"  {state_sign(state)[0]} {states.count(state)} {state}", state_sign(state)[1])
            for state in (State.LIVE, State.STALLED, State.FAILED) if state in states]  # fmt: skip
    return [spread(line(name, f"  {number}", *told), line(Span(f"{snapshot.folder} ", "label")), width)]
