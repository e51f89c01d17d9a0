"""The findings as a list: causes with their symptoms folded under them, the selected one opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trainhealth.findings import Finding
from trainhealth.reports.folding import fold
from trainhealth.series import RunView
from trainhealth.tui.amounts import count, duration
from trainhealth.tui.lines import Line, Span, clip, line, paragraph, spread
from trainhealth.tui.signs import HEALTHY, sign
from trainhealth.tui.snapshot import Snapshot, State

_COLUMN = 11  # at which text begins in an opened finding; its labels stand before it
_BAR = "▌"


class Entry(NamedTuple):
    """A finding in the list; a symptom stands below its cause."""

    finding: Finding
    is_symptom: bool


def entries(findings: Sequence[Finding]) -> list[Entry]:
    """Return the findings in the order of the list."""
    return [
        Entry(finding, finding is not illness.cause)
        for illness in fold(findings)
        for finding in (illness.cause, *illness.symptoms)
    ]


def since(finding: Finding, view: RunView) -> str:
    """Return since when: the step, and how long ago that was in steps and in time."""
    ago = view.last_step - finding.first_step
    if ago <= 0:
        return f"since step {count(finding.first_step)}, now"
    began = view.times.at(finding.first_step)
    seconds = view.last_time - began
    time = f" ({duration(seconds)})" if seconds > 0 else ""
    return f"since step {count(finding.first_step)}, {count(ago)} steps{time} ago"


def findings_title(snapshot: Snapshot) -> Line:
    """Return the verdict in one line."""
    found = snapshot.diagnosis.findings
    if found:
        parts: list[str | Span] = [Span("Findings", "title")]
        for severity in dict.fromkeys(finding.severity for finding in sorted(found, key=lambda f: f.severity.rank)):
            number = sum(finding.severity is severity for finding in found)
            parts += ["  ", Span(f"{sign(severity)} {number} {severity}", str(severity))]
        return line(*parts)
    if snapshot.condition.state is State.READING or not snapshot.diagnosed or snapshot.view.last_step < 0:
        return line(Span("Findings", "title"), Span("  nothing to diagnose yet", "label"))
    checked = snapshot.rules - len(snapshot.diagnosis.not_checked)
    return line(
        Span("Findings", "title"), "  ", Span(f"{HEALTHY} none", "healthy"), Span(f" by {checked} rules", "label")
    )


def findings_lines(snapshot: Snapshot, width: int, selected: int = 0) -> tuple[list[Line], list[int]]:
    """Return the lines of the list, and for each line the number of the finding that it belongs to (-1: none)."""
    lines: list[Line] = [findings_title(snapshot)]
    owners = [-1]

    def add(block: Sequence[Line], owner: int) -> None:
        lines.extend(block)
        owners.extend([owner] * len(block))

    listed = entries(snapshot.diagnosis.findings)
    for number, entry in enumerate(listed):
        chosen = number == selected
        if not entry.is_symptom and number:
            add([()], -1)
        add(_entry(entry, snapshot.view, width, chosen), number)
    unchecked = snapshot.diagnosis.not_checked
    if unchecked:
        rules = "1 rule" if len(unchecked) == 1 else f"{len(unchecked)} rules"
        add([(), clip(line(Span(f"  {rules} not checked", "label"), Span("  press n for why", "label")), width)], -1)
    return lines, owners


def _entry(entry: Entry, view: RunView, width: int, chosen: bool) -> list[Line]:
    finding = entry.finding
    role = str(finding.severity)
    bar = Span(f"{_BAR} " if chosen else "  ", role)
    branch = Span("└ ", "label") if entry.is_symptom else Span("")
    head = line(bar, branch, Span(f"{sign(finding.severity)} ", role), Span(finding.name, "strong"))
    sure = f"{finding.severity}, {finding.confidence} "
    if entry.is_symptom and not chosen:
        return [spread(head, line(Span(f"since step {count(finding.first_step)} ", "label")), width)]
    room = width - 3
    body = [line(Span(f"{since(finding, view)}", "label"))]
    body += paragraph(finding.message, room)
    if chosen:
        body += _remedy(finding, room)
    return [spread(head, line(Span(sure, role)), width), *(line(bar, *row) for row in body)]


def _remedy(finding: Finding, width: int) -> list[Line]:
    """Return the first recommendation; the others are a key away."""
    if not finding.recommendations:
        return []
    first = finding.recommendations[0]
    rest = len(finding.recommendations) - 1
    lines = paragraph(first.action, width, first=Span("do this", "healthy"), indent=_COLUMN, role="strong")
    lines += paragraph(first.verify, width, first=Span("then see", "label"), indent=_COLUMN)
    more = f"{rest} more: " if rest else ""
    lines.append(line(Span(" " * _COLUMN + f"{more}press enter", "label")))
    return lines
