"""What was not checked, why, and what would make it checkable: silence would read as health."""

from __future__ import annotations

from trainhealth.tui.lines import Line, Span, line, paragraph
from trainhealth.tui.snapshot import Snapshot


def not_checked_page(snapshot: Snapshot, width: int) -> list[Line]:
    """Return the page of the rules that could not decide."""
    items = snapshot.diagnosis.not_checked
    if not snapshot.diagnosed:
        return paragraph("The rules have not run yet.", width)
    checked = snapshot.rules - len(items)
    lines = paragraph(f"{checked} of {snapshot.rules} rules were checked.", width)
    for item in items:
        lines += [(), line(Span(item.name, "strong"), Span(f"  {item.code}", "label"))]
        lines += paragraph(item.because, width - 2, indent=2)
    return lines
