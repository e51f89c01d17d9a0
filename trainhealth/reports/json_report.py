"""JSON, for programs: the document that ``docs/json-report.md`` describes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TextIO

from trainhealth.diagnosis import Report, report_json
from trainhealth.reports.base import Checked, Format


class JsonFormat(Format):
    """Writes one JSON document with an entry a run, in the order in which the runs were named."""

    name = "json"

    def write(self, checked: Iterable[Checked], out: TextIO) -> None:
        """Write the document; the same bytes to a terminal, a file and a pipe."""
        out.write(report_json([_entry(one) for one in checked]))


def _entry(checked: Checked) -> dict[str, Any]:
    if isinstance(checked, Report):
        return checked.entry
    return {"path": checked.path, "error": checked.error.message}
