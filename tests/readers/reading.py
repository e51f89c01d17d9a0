"""What the tests of readers share: a log as text -> the signals that a user gets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import trainhealth
from trainhealth.series import RunView
from trainhealth.signals import SIGNALS


def read(folder: Path, log: str | bytes, name: str = "train.log", names: Mapping[str, str] | None = None) -> RunView:
    """Return the view of a log that consists of one file."""
    path = folder / name
    path.write_bytes(log if isinstance(log, bytes) else log.encode())
    return trainhealth.load(path, names=names or {}).view


def signals(view: RunView) -> dict[str, dict[int, float]]:
    """Return the series that rules read: signal -> step -> value."""
    return {
        name: dict(zip(series.steps.tolist(), series.values.tolist(), strict=True))
        for name, series in view.scalars.items()
        if name in SIGNALS
    }


def said(view: RunView) -> str:
    """Return how the columns were understood, as `info` says it."""
    return "\n".join(event.message for event in view.events if event.event == "column")
