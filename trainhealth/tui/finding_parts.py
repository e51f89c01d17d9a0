"""The parts of a finding that the list and the finding's own page share: since when, the numbers, what to do."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from trainhealth.findings import Evidence, Finding, Recommendation
from trainhealth.rules.base import number
from trainhealth.series import RunView
from trainhealth.tui.amounts import count, duration
from trainhealth.tui.lines import Line, Span, paragraph, table, width_of

COLUMN = 11  # at which text begins; labels stand before it


def since(finding: Finding, view: RunView) -> str:
    """Return since when: the step, and how long ago that was in steps and in time."""
    ago = view.last_step - finding.first_step
    if ago <= 0:
        return f"since step {count(finding.first_step)}, now"
    began = view.times.at(finding.first_step)
    seconds = view.last_time - began
    time = f" ({duration(seconds)})" if seconds > 0 else ""
    return f"since step {count(finding.first_step)}, {count(ago)} steps{time} ago"


def evidence_lines(evidence: Sequence[Evidence], width: int) -> list[Line]:
    """Return the numbers that a finding rests on as a table; what does not fit into its rows goes below them."""
    if not evidence:
        return []
    header: list[str | Span] = [Span(name, "label") for name in ("signal", "seen", "expected", "where", "steps")]
    rows: list[list[str | Span]] = [
        [item.signal, Span(number(item.observed), "strong"), item.expected, *_where(item)] for item in evidence
    ]
    wide = table([header, *rows], sys.maxsize, right=frozenset({1}))
    if max(map(width_of, wide)) <= width:
        return wide
    heads = table([header[:3], *[row[:3] for row in rows]], sys.maxsize, right=frozenset({1}))
    fits = max(map(width_of, heads)) <= width
    if not fits:
        heads = table([header[:2], *[row[:2] for row in rows]], width, right=frozenset({1}))
    lines = heads[:1]
    for head, item in zip(heads[1:], evidence, strict=True):
        place, steps = _where(item)
        word = "steps" if item.last_step > item.first_step else "step"
        more = f"{place}, {word} {steps}" if fits else f"{place}, {word} {steps}; expected {item.expected}"
        lines += [head, *paragraph(more, width, first=Span("  ", "label"), indent=2, role="label")]
    return lines


def _where(item: Evidence) -> tuple[str, str]:
    """Return the place and the steps of a piece of evidence."""
    if item.first_step == item.last_step:
        return item.place or "run", count(item.first_step)
    return item.place or "run", f"{count(item.first_step)}–{count(item.last_step)}"


def recommendation_lines(position: int, recommendation: Recommendation, width: int, *, full: bool) -> list[Line]:
    """Return what to do, why, and what will be seen then; `position` 0 is the first thing to do.

    Without `full` only the action and what will be seen.
    """
    recipe = recommendation.recipe and f"trainhealth explain {recommendation.recipe}"
    rows = [
        (Span("do this" if position == 0 else "or this", "healthy"), recommendation.action, "strong"),
        (Span("because", "label"), recommendation.because if full else "", ""),
        (Span("then see", "label"), recommendation.verify, ""),
        (Span("risk", "label"), recommendation.risk if full else "", ""),
        (Span("recipe", "label"), recipe if full else "", ""),
    ]
    return [
        row
        for label, text, role in rows
        if text
        for row in paragraph(text, width, first=label, indent=COLUMN, role=role)
    ]
