"""One finding in full: the fact, the numbers and curves that it rests on, what to do, and where that is taught."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trainhealth.findings import Finding, Recommendation, Reference
from trainhealth.recipes.lectures import in_full
from trainhealth.tui.charts import Figure, draw_chart
from trainhealth.tui.evidence_charts import evidence_figures
from trainhealth.tui.finding_parts import COLUMN, evidence_lines, recommendation_lines, since
from trainhealth.tui.kept import Kept
from trainhealth.tui.lines import Line, Span, clip, line, paragraph, spread
from trainhealth.tui.look import Look
from trainhealth.tui.signs import sign
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.snippets import snippet_lines

_CODE_BAR = "│ "
_CHART_HEIGHT = 9  # with it, the numbers of the steps stand below the axis


def finding_page(snapshot: Snapshot, finding_id: str, width: int, look: Look, kept: Kept | None = None) -> list[Line]:
    """Return the page of a finding; a finding that is gone by now leaves a page that says so.

    `kept` is what earlier drawings of the same page have computed.
    """
    found = {finding.id: finding for finding in snapshot.diagnosis.findings}
    finding = found.get(finding_id)
    if finding is None:
        return paragraph(f"{finding_id} is no longer found: the newest records do not support it.", width)
    return [
        *_head(finding, snapshot, width),
        (),
        *paragraph(finding.message, width, role="strong"),
        *_causes([found[cause] for cause in finding.caused_by if cause in found], width),
        *_symptoms([other for other in found.values() if finding.id in other.caused_by], width),
        (),
        *evidence_lines(finding.evidence, width),
        *_charts(evidence_figures(finding, snapshot.view, kept or Kept()), width, look),
        *_remedies(finding, width),
        *_references(finding.references, width),
        (),
        line(Span("more".ljust(COLUMN), "label"), f"trainhealth explain {finding.code}"),
    ]


def _head(finding: Finding, snapshot: Snapshot, width: int) -> list[Line]:
    role = str(finding.severity)
    name = line(Span(f"{sign(finding.severity)} {finding.name}", role), Span(f"  {finding.code}", "label"))
    sure = line(Span(f"{finding.severity}, {finding.confidence}", role))
    muted = "  muted for this run" if finding.id in snapshot.muted else ""
    return [spread(name, sure, width), line(Span(since(finding, snapshot.view), "label"), Span(muted, "warning"))]


def _causes(causes: Sequence[Finding], width: int) -> list[Line]:
    lines: list[Line] = []
    for cause in causes:
        text = f"{_named(cause)}: {cause.message}"
        lines += paragraph(text, width, first=Span("" if lines else "caused by", "label"), indent=COLUMN)
    return [(), *lines] if lines else []


def _symptoms(symptoms: Sequence[Finding], width: int) -> list[Line]:
    """Return the names only: who reads the cause need not read each symptom to act."""
    names = ", ".join(map(_named, symptoms))
    return [(), *paragraph(names, width, first=Span("explains", "label"), indent=COLUMN)] if names else []


def _named(finding: Finding) -> str:
    return f"{sign(finding.severity)} {finding.name} ({finding.code})"


def _charts(figures: Sequence[Figure], width: int, look: Look) -> list[Line]:
    return [row for figure in figures for row in ((), *draw_chart(figure, width, _CHART_HEIGHT, look))]


def _remedies(finding: Finding, width: int) -> list[Line]:
    """Return the recommendations; the code of a recipe stands under the first one that names it."""
    lines: list[Line] = []
    shown: set[str] = set()
    for position, item in enumerate(finding.recommendations):
        lines += [(), *recommendation_lines(position, item, width, full=True)]
        if item.recipe and item.recipe not in shown:
            shown.add(item.recipe)
            lines += _code(item, width)
    return lines


def _code(item: Recommendation, width: int) -> list[Line]:
    """Return the code of a recommendation; it begins further to the left where it is too wide for its place."""
    code = snippet_lines(item)
    room = width - max(map(len, code), default=0) - len(_CODE_BAR)
    blank = " " * min(max(room, 0), COLUMN)
    return [clip(line(blank, Span(_CODE_BAR, "guide"), *_coloured(text)), width) for text in code]


def _coloured(text: str) -> list[Span]:
    comment = re.search(r"(?:^|(?<=\s))#\s", text)
    begin = comment.start() if comment else len(text)
    return [Span(text[:begin], "value"), Span(text[begin:], "label")]


def _references(references: Sequence[Reference], width: int) -> list[Line]:
    lines: list[Line] = []
    for reference in references:
        title = in_full(reference.title)
        text = f"{title}: {reference.claim}" if reference.claim else title
        label = "" if lines else "taught in"
        lines += paragraph(text, width, first=Span(label, "label"), indent=COLUMN)
        if reference.url:
            lines += paragraph(reference.url, width, indent=COLUMN, role="label")
    return [(), *lines] if lines else []
