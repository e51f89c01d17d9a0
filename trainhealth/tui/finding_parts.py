"""The parts of a finding that the list and the finding's own page share: since when, the numbers, what to do."""

from __future__ import annotations

from collections.abc import Sequence

from trainhealth.findings import Evidence, Finding, Recommendation
from trainhealth.rules.base import number
from trainhealth.series import RunView
from trainhealth.tui.amounts import count, duration
from trainhealth.tui.lines import Line, Span, paragraph, table

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
    """Return the numbers that a finding rests on, as a table; nothing where there are none."""
    if not evidence:
        return []
    header = [Span(name, "label") for name in ("signal", "where", "steps", "seen", "expected")]
    rows = [
        [
            Span(item.signal),
            Span(item.place or "run"),
            Span(_steps(item)),
            Span(number(item.observed), "strong"),
            Span(item.expected),
        ]
        for item in evidence
    ]
    return table([header, *rows], width, right=frozenset({3}))


def _steps(item: Evidence) -> str:
    if item.first_step == item.last_step:
        return count(item.first_step)
    return f"{count(item.first_step)}–{count(item.last_step)}"


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
