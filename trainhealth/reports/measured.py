"""What a checkup has measured besides findings, as text: pictures, and values to use."""

from __future__ import annotations

from trainhealth.diagnosis import Report
from trainhealth.reports.advice import advised
from trainhealth.reports.page import LABEL, STRONG, Page
from trainhealth.reports.pictures import picture

_NEEDED = "█▏⣿│▲…"  # characters of the pictures


def write_measured(page: Page, report: Report) -> None:
    """Write the pictures and the advice, each under a heading; nothing for a diagnosis of a log."""
    for figure in report.figures:
        lines = picture(figure, page.width - 2, ascii_only=not page.shows(_NEEDED))
        if lines:
            page.line()
            page.line((figure.title, STRONG))
            for line in lines:
                page.line("  ", line)
    rows = list(advised(report.advice))
    if rows:
        page.line()
        page.line(("measured, and to use", STRONG))
        column = max(len(row.name) for row in rows) + 4
        for row in rows:
            page.labelled(row.name, row.value, column)
            if row.because:
                page.prose(row.because, column, LABEL)
    if report.documents:
        page.line()
        names = ", ".join(report.documents)
        page.prose(f"Written out: {names} (--save FOLDER keeps them; --format markdown shows them).", 0, LABEL)
