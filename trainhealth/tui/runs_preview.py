"""The selected run below the table: what is wrong, what to do first, and its loss."""

from __future__ import annotations

from itertools import zip_longest

from trainhealth.tui.amounts import count, duration
from trainhealth.tui.charts import draw_chart
from trainhealth.tui.figures import loss_figure
from trainhealth.tui.lines import Line, Span, clip, line, paragraph, width_of
from trainhealth.tui.look import Look
from trainhealth.tui.runs_row import Opened, RunRow
from trainhealth.tui.runs_table import nothing_found
from trainhealth.tui.signs import HEALTHY, sign, state_sign
from trainhealth.tui.snapshot import State

CHART_FROM = (100, 8)  # columns and rows that have room for a chart beside the text
_LABEL = 9


def preview_lines(row: RunRow, opened: Opened | None, now: float, width: int, height: int, look: Look) -> list[Line]:
    """Return at most `height` lines about a run; `opened` is None until its curves have been read."""
    if width < CHART_FROM[0] or height < CHART_FROM[1]:
        return _text(row, now, width)[:height]
    left = width * 2 // 5
    text = [clip(content, left - 2) for content in _text(row, now, left - 2)[:height]]
    if opened is None:
        return text
    chart = draw_chart(loss_figure(opened.view), width - left, height, look)
    return [
        (*part, Span(" " * (left - width_of(part))), *curve)
        for part, curve in zip_longest(text, chart[:height], fillvalue=())
    ]


def _text(row: RunRow, now: float, width: int) -> list[Line]:
    return [
        line(Span(f" {row.name}", "title"), Span(f"  {_model(row)}", "label")),
        *_state(row, now, width),
        *_verdict(row, width),
    ]


def _model(row: RunRow) -> str:
    info = row.info
    parts = [info.model, f"{count(info.parameters)} parameters" if info.parameters else ""]
    parts += [optimizer.type for optimizer in info.optimizers]
    parts += [info.device, f"{info.world_size} processes" if info.world_size > 1 else ""]
    return " · ".join(part for part in parts if part)


def _state(row: RunRow, now: float, width: int) -> list[Line]:
    glyph, role = state_sign(row.condition.state)
    steps = f"{count(row.step + 1)} steps" if row.step >= 0 else ""
    total = row.info.total_steps
    share = f" of {count(total)}" if steps and total and total > row.step + 1 else ""
    ago = _ago(now - row.written) if row.written and row.condition.state is not State.LIVE else ""
    told = " · ".join(part for part in (steps + share, ago, row.condition.text) if part)
    return paragraph(
        told, width, first=Span(f" {glyph} {row.condition.state}  ", role), indent=len(row.condition.state) + 5
    )


def _ago(seconds: float) -> str:
    return "just now" if seconds < 1 else f"{duration(seconds)} ago"


def _verdict(row: RunRow, width: int) -> list[Line]:
    if row.findings is None:
        return []
    if not row.findings:
        said = (
            Span(f" {HEALTHY} {nothing_found(row)}", "healthy")
            if row.judged
            else Span(" no rule could be checked", "label")
        )
        return [line(said)]
    first = row.findings[0]
    role = str(first.severity)
    text = f"{first.name}: {first.message}"
    lines = paragraph(text, width - 1, first=Span(f" {sign(first.severity)}", role), indent=3)
    for advice in first.recommendations[:1]:
        lines += paragraph(advice.action, width - 1, first=Span(" do this", "healthy"), indent=_LABEL)
    others = [f"{sign(other.severity)} {other.name}" for other in row.findings[1:]]
    if others:
        lines += paragraph(" · ".join(others), width - 1, first=Span(" also", "label"), indent=_LABEL, role="label")
    return lines
