"""A table of a lecture beside our numbers (see lectures.py)."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One number of a lecture, ours, and the interval in which ours has to lie."""

    what: str
    lecture: str
    ours: float
    low: float
    high: float


class Table(NamedTuple):
    """What one lecture shows, measured again."""

    title: str
    lecture: str
    measured: str  # with which signals, on what
    rows: list[Row]
