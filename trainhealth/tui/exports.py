"""What can be kept of what is on the screen: a file's content, and where it goes."""

from __future__ import annotations

import csv
import io
import math
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from trainhealth import plugins
from trainhealth.diagnosis import Report, Run
from trainhealth.errors import TrainHealthError
from trainhealth.reports.base import Format
from trainhealth.series import Columns
from trainhealth.tui.snapshot import Snapshot


def report_text(snapshot: Snapshot, format_name: str) -> str:
    """Return the diagnosis as ``trainhealth check --format <format_name>`` writes it."""
    formats: dict[str, type[Format]] = {part.name: part for part in plugins.load("trainhealth.reports")}
    out = io.StringIO()
    formats[format_name]().write([Report(Run(snapshot.path, snapshot.view), snapshot.diagnosis)], out)
    return out.getvalue()


def columns_csv(columns: Columns) -> str:
    """Return a signal of the layers as CSV: a row a sampled step, a column a place, empty where it has no value."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["step", *columns.places])
    for step, values in zip(columns.steps.tolist(), columns.values.tolist(), strict=True):
        rows.writerow([step, *("" if math.isnan(value) else f"{value:.6g}" for value in values)])
    return out.getvalue()


def keep(name: str, suffix: str, text: str) -> Path:
    """Write a new file and return its path: in the current folder, or where that can't be, at home or in /tmp.

    Raises:
        TrainHealthError: none of them can be written to.
    """
    stem = re.sub(r"[^\w.+-]+", "-", name).strip("-.") or "trainhealth"
    failure: OSError | None = None
    for folder in _folders():
        for number in range(1, 1000):
            path = folder / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
            try:
                with path.open("x", encoding="utf-8", errors="surrogateescape", newline="") as file:
                    file.write(text)
            except FileExistsError:
                continue
            except OSError as error:
                failure = error
                break
            return path
    reason = failure.strerror if failure else "too many files of that name"
    raise TrainHealthError(f"{stem}{suffix} could not be written: {reason}")


def _folders() -> Iterator[Path]:
    for folder_of in (os.getcwd, lambda: os.path.expanduser("~"), tempfile.gettempdir):
        try:
            yield Path(folder_of())
        except OSError:  # the current folder has been deleted, there is no folder for temporary files
            continue
