"""One finding in full: the fact, the numbers that it rests on, what to do, and where that is taught."""

from __future__ import annotations

from collections.abc import Sequence

from trainhealth.findings import Finding, Reference
from trainhealth.tui.finding_parts import COLUMN, evidence_lines, recommendation_lines, since
from trainhealth.tui.lines import Line, Span, line, paragraph, spread
from trainhealth.tui.signs import sign
from trainhealth.tui.snapshot import Snapshot


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
        (),
        *evidence_lines(finding.evidence, width),
        *[
            row
            for position, item in enumerate(finding.recommendations)
            for row in ((), *recommendation_lines(position, item, width, full=True))
        ],
        *_references(finding.references, width),
        (),
        line(Span("more".ljust(COLUMN), "label"), f"trainhealth explain {finding.code}"),
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
        lines += paragraph(text, width, first=Span("" if lines else label, "label"), indent=COLUMN)
    return [(), *lines] if lines else []


def _references(references: Sequence[Reference], width: int) -> list[Line]:
    lines: list[Line] = []
    for reference in references:
        text = f"{reference.title}: {reference.claim}" if reference.claim else reference.title
        label = "" if lines else "taught in"
        lines += paragraph(text, width, first=Span(label, "label"), indent=COLUMN)
        if reference.url:
            lines += paragraph(reference.url, width, indent=COLUMN, role="label")
    return [(), *lines] if lines else []
