"""The table of runs, and a comparison of two of them, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from trainhealth.comparison import Comparison
from trainhealth.tui.runs_row import RunRow

_COLUMNS = ("run", "state", "step", "epoch", "loss", "best_of", "best", "findings", "written")


def runs_csv(rows: Sequence[RunRow]) -> str:
    """Return a row a run: what the table shows, and all that was set; what is not known so far is empty."""
    names = sorted({name for row in rows for name in row.settings})
    return _text((*_COLUMNS, *names), ((*_cells(row), *(row.settings.get(name) for name in names)) for row in rows))


def _cells(row: RunRow) -> tuple[Any, ...]:
    step = row.step if row.step >= 0 else None
    loss = None if row.loss is None else f"{row.loss:.6g}"
    best = (row.best.signal, f"{row.best.value:.6g}") if row.best else (None, None)
    findings = " ".join(finding.name for finding in row.findings or ())
    written = datetime.fromtimestamp(row.written, UTC).isoformat(timespec="seconds") if row.written else None
    return row.name, str(row.condition.state), step, row.epoch, loss, *best, findings, written


def comparison_csv(compared: Comparison) -> str:
    """Return a row for everything that stands on the page: findings, curves, settings and layers."""
    rows: list[tuple[Any, ...]] = []
    for group, findings in compared.groups().items():
        rows += [(f"finding {group}", finding.name, None, None) for finding in findings]
    rows += [("curve", curve.signal, f"{curve.before:.6g}", f"{curve.after:.6g}") for curve in compared.curves]
    for kind, differences in (("setting", compared.settings), ("layer", compared.layers)):
        rows += [(kind, item.name, item.before, item.after) for item in differences]
    return _text(("what", "name", "before", "after"), rows)


def _text(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue()
