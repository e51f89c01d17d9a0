"""One finding in full: the fact, the numbers that it rests on, what to do, and where that is taught."""

from __future__ import annotations

from collections.abc import Sequence

from trainhealth.findings import Evidence, Finding, Recommendation, Reference
from trainhealth.tui.amounts import count, figure
from trainhealth.tui.findings_list import since
from trainhealth.tui.lines import Line, Span, line, paragraph, spread, table
from trainhealth.tui.signs import sign
from trainhealth.tui.snapshot import Snapshot

_COLUMN = 11  # at which text begins; labels stand before it


def finding_page(snapshot: Snapshot, finding_id: str, width: int) -> list[Line]:
    """Return the page of a finding; a finding that is gone by now leaves a page that says so."""
    found = {finding.id: finding for finding in snapshot.diagnosis.findings}
    finding = found.get(finding_id)
    if finding is None:
        return paragraph(f"{finding_id} is no longer found: the newest records do not support it.", width)
    return [
        *_head(finding, snapshot, width),
        (),
        *paragraph(finding.message, width, role="strong"),
        *_relatives("caused by", [found[cause] for cause in finding.caused_by if cause in found], width),
        *_relatives("explains", [other for other in found.values() if finding.id in other.caused_by], width),
        *_evidence(finding.evidence, width),
        *[row for number, item in enumerate(finding.recommendations) for row in _recommendation(number, item, width)],
        *_references(finding.references, width),
        (),
        line(Span("more".ljust(_COLUMN), "label"), f"trainhealth explain {finding.code}"),
    ]


def _head(finding: Finding, snapshot: Snapshot, width: int) -> list[Line]:
    role = str(finding.severity)
    name = line(Span(f"{sign(finding.severity)} {finding.name}", role), Span(f"  {finding.code}", "label"))
    sure = line(Span(f"{finding.severity}, {finding.confidence}", role))
    return [spread(name, sure, width), line(Span(since(finding, snapshot.view), "label"))]


def _relatives(label: str, findings: Sequence[Finding], width: int) -> list[Line]:
    lines: list[Line] = []
    for finding in findings:
        text = f"{sign(finding.severity)} {finding.name} ({finding.code}): {finding.message}"
        lines += paragraph(text, width, first=Span("" if lines else label, "label"), indent=_COLUMN)
    return [(), *lines] if lines else []


def _evidence(evidence: Sequence[Evidence], width: int) -> list[Line]:
    if not evidence:
        return []
    header = [Span(name, "label") for name in ("signal", "where", "steps", "seen", "expected")]
    rows: list[list[str | Span]] = [
        [item.signal, item.place or "run", _steps(item), Span(figure(item.observed), "strong"), item.expected]
        for item in evidence
    ]
    return [(), line(Span("Evidence", "title")), *table([header, *rows], width, right=frozenset({3}))]


def _steps(item: Evidence) -> str:
    if item.first_step == item.last_step:
        return count(item.first_step)
    return f"{count(item.first_step)}–{count(item.last_step)}"


def _recommendation(number: int, recommendation: Recommendation, width: int) -> list[Line]:
    rows = [
        (Span("do this" if number == 0 else "or this", "healthy"), recommendation.action, "strong"),
        (Span("because", "label"), recommendation.because, ""),
        (Span("then see", "label"), recommendation.verify, ""),
        (Span("risk", "label"), recommendation.risk, ""),
        (Span("recipe", "label"), recommendation.recipe and f"trainhealth explain {recommendation.recipe}", ""),
    ]
    lines: list[Line] = [()]
    for label, text, role in rows:
        if text:
            lines += paragraph(text, width, first=label, indent=_COLUMN, role=role)
    return lines


def _references(references: Sequence[Reference], width: int) -> list[Line]:
    lines: list[Line] = []
    for reference in references:
        text = f"{reference.title}: {reference.claim}" if reference.claim else reference.title
        label = "" if lines else "taught in"
        lines += paragraph(text, width, first=Span(label, "label"), indent=_COLUMN)
        if reference.url:
            lines += paragraph(reference.url, width, indent=_COLUMN, role="label")
    return [(), *lines] if lines else []
