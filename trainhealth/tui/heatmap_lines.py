"""The heat map as lines of text: a row a layer (or a group of them), a colour or a glyph a value, and a legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trainhealth.findings import Finding, Severity
from trainhealth.series import IntArray
from trainhealth.tui.amounts import figure, short_count
from trainhealth.tui.heatmap import BROKEN, EMPTY, INFINITE, HeatMap
from trainhealth.tui.layer_rows import Row, single_rows
from trainhealth.tui.lines import ELLIPSIS, Line, Span, clip, line, spread
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.ramps import LEVELS, Scale, shade
from trainhealth.tui.signs import sign

LATEST = 8  # cells for the newest value, at the end of a row
_BAR, _SIGN = 2, 2  # cells at the left: the bar of the selected row where one is, the sign of a finding
_LEGEND = 12  # cells of the ramp in the legend
_TALLEST = 3  # lines that a row takes where there is room
_EXPLAINED_FROM = 14  # lines of a heat map that also says what the signal is
_SIGNS = {EMPTY: " ", BROKEN: "✖", INFINITE: "↑"}

Marks = Mapping[str, Severity]  # a place -> the severity of the worst finding that names it


def marks_of(findings: Sequence[Finding]) -> Marks:
    """Return the places that findings name."""
    marks: dict[str, Severity] = {}
    for finding in sorted(findings, key=lambda finding: -finding.severity.rank):
        for place in (finding.place, *(item.place for item in finding.evidence)):
            if place:
                marks[place] = finding.severity
    return marks


def room_for_rows(height: int) -> int:
    """Return how many rows a heat map of `height` lines can show."""
    return max(height - 2 - (height >= _EXPLAINED_FROM), 0)


def lines_a_row(rows: int, height: int) -> int:
    """Return how many lines a row takes: few rows are drawn larger."""
    return min(max(room_for_rows(height) // max(rows, 1), 1), _TALLEST)


def lines_used(rows: int, height: int) -> int:
    """Return how many of `height` lines the heat map of `rows` rows fills."""
    return min(height - room_for_rows(height) + max(rows, 1) * lines_a_row(rows, height), height)


def row_at(y: int, height: int, rows: int, first: int) -> int | None:
    """Return which of `rows` rows stands on line `y` of a heat map that shows them from `first` on; None for none."""
    number = (y - (height - room_for_rows(height) - 1)) // lines_a_row(rows, height)
    return first + number if 0 <= number < min(room_for_rows(height), rows - first) else None


def draw_heat_map(
    heat: HeatMap,
    width: int,
    height: int,
    look: Look,
    first: int = 0,
    *,
    rows: Sequence[Row] | None = None,
    selected: int | None = None,
    marks: Marks | None = None,
    note: str = "",
) -> list[Line]:
    """Return exactly `height` lines: title and legend, what the signal is, the rows from `first` on, the axis of steps.

    `rows` are all rows that there are (by default, every place), of which one may be selected; `marks` says which
    places findings name, and `note` follows the title.
    """
    heading = line(Span(f"Layers: {heat.kind.title}", "title"), Span(f"  {note}" if note else "", "label"))
    title = spread(heading, _legend(heat.scale, look), width)
    if not heat.places:
        text = f"  no sampled step has {heat.kind.signal}"
        return [title, clip(line(Span(text, "label")), width), *[()] * height][:height]
    rows = single_rows(heat.places, range(len(heat.places))) if rows is None else rows
    room = room_for_rows(height)
    shown = rows[first : first + room]
    margin = _SIGN if selected is None else _BAR + _SIGN
    names = min(max((len(_label(row)) for row in rows), default=0) + 1, max(width // 3, 8) - margin)
    cells = max(width - margin - names - LATEST, 1)
    tall = lines_a_row(len(rows), height)
    body: list[Line] = []
    for number, row in enumerate(shown, first):
        bar = Span("" if selected is None else ("▎" if number == selected else "").ljust(_BAR), "strong")
        name = Span(_shortened(_label(row), names - 1).ljust(names), "strong" if number == selected else "label")
        painted = _runs(heat.codes(row.members, cells), heat.scale, look)
        body += [line(bar, _sign(heat, row, marks or {}), name, *painted, *_newest(heat, row))]
        body += [line(" " * (margin + names), *painted)] * (tall - 1)
    if not rows:
        body = [line(Span("  no layer of this signal has these words in its name", "label"))]
    meaning = [clip(line(Span(f"  {heat.kind.meaning}", "label")), width)] if height >= _EXPLAINED_FROM else []
    axis = _axis(heat.steps[heat.starts(cells)], margin + names, width, _position(len(rows), first, len(shown)))
    return [clip(row, width) for row in [title, *meaning, *body, axis, *[()] * height]][:height]


def _label(row: Row) -> str:
    if row.is_group:
        return f"{'▾' if row.is_open else '▸'} {row.name} ({len(row.members)})"
    return f"  {row.name}" if row.is_member else row.name


def _sign(heat: HeatMap, row: Row, marks: Marks) -> Span:
    """Return the sign of the worst finding that names one of the row's places."""
    severities = [marks[heat.places[member]] for member in row.members if heat.places[member] in marks]
    if not severities:
        return Span(" " * _SIGN)
    worst = min(severities, key=lambda severity: severity.rank)
    return Span(sign(worst).ljust(_SIGN), str(worst))


def _legend(scale: Scale, look: Look) -> Line:
    """Return the ramp with the values at its ends, and in the middle where that is as it should be."""
    codes = np.arange(_LEGEND) * LEVELS // _LEGEND
    stops = (0, _LEGEND // 2, _LEGEND) if scale.has_middle else (0, _LEGEND)
    parts: list[str | Span] = [Span(f"{scale.label(0.0)} ", "label")]
    for begin, end in pairwise(stops):
        label = scale.label(end / _LEGEND)
        parts += [*_runs(codes[begin:end], scale, look), Span(f" {label}{'' if end == _LEGEND else ' '}", "label")]
    return line(*parts)


def _runs(codes: NDArray[np.int64], scale: Scale, look: Look) -> list[Span]:
    """Return a row of cells; neighbours that look the same are one span, because a screen draws spans."""
    borders = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    spans = []
    for begin, end in pairwise(borders):
        code = int(codes[begin])
        if code < 0:
            spans.append(Span(_SIGNS[code] * (end - begin), "" if code == EMPTY else "critical"))
        elif look.colour and look.glyphs is not Glyphs.ASCII:
            spans.append(Span(" " * (end - begin), f"{scale.ramp}-{code}"))
        else:
            spans.append(Span(shade(code, look.glyphs) * (end - begin)))
    return spans


def _newest(heat: HeatMap, row: Row) -> tuple[Span, Span]:
    """Return the newest value of a row, aligned to the right: the number behind the last colour."""
    value = heat.newest(row.members)
    text = Span(figure(value), "value" if np.isfinite(value) else "critical")
    return Span(" " * max(LATEST - len(text.text), 0)), text


def _shortened(name: str, width: int) -> str:
    """Return the end of a name, which tells the layers of a deep model apart."""
    return name if len(name) <= width else ELLIPSIS + name[len(name) - width + 1 :]


def _position(rows: int, first: int, shown: int) -> str:
    """Return which rows are shown, where they are not all; else what the numbers above are."""
    return "now" if shown == rows else f"{first + 1}–{first + shown} of {rows}"


def _axis(steps: IntArray, names: int, width: int, note: str) -> Line:
    """Return the steps of the cells, every twelfth of them labelled."""
    text = f"{'step':>{names - 1}} "
    for cell in range(0, len(steps), 12):
        longer = text.ljust(names + cell) + short_count(int(steps[cell]))
        if len(longer) + len(note) < width:
            text = longer
    return spread(line(Span(text, "axis")), line(Span(note, "axis")), width)
