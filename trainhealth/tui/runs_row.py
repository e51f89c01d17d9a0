"""What the table of runs knows of one run: a row; and of all of them at one moment, frozen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np

from trainhealth.comparison import settings_of
from trainhealth.findings import Diagnosis, Finding
from trainhealth.records import RunInfo
from trainhealth.series import FloatArray, RunView
from trainhealth.tui.smoothing import POINTS_A_SPAN
from trainhealth.tui.snapshot import Condition, State

LONGEST_SPAN = 20  # values that a last loss is the mean of, at most
_UNKNOWN = Condition(State.READING)
_RESULTS = ("validation_accuracy", "validation_loss")  # by which a run is judged; what says more comes first


class Depth(IntEnum):
    """How far a run has been read."""

    LISTED = 0  # its files are known, nothing was read
    GLANCED = 1  # the end of its log, and what run.json says
    READ = 2  # in full, and diagnosed


@dataclass(frozen=True)
class Result:
    """The best evaluation of a run."""

    signal: str
    value: float


@dataclass(frozen=True, eq=False)
class RunRow:
    """A run in the table, as far as it has been read."""

    path: str
    name: str  # the path below the folder of the table
    condition: Condition = _UNKNOWN
    depth: Depth = Depth.LISTED
    written: float = 0.0  # when its files were written to last, seconds since 1970
    step: int = -1
    epoch: int | None = None
    loss: float | None = None  # the recent one; NaN where the last one is not finite
    best: Result | None = None  # known where the run was read in full
    info: RunInfo = field(default_factory=RunInfo)
    findings: tuple[Finding, ...] | None = None  # None: not diagnosed yet
    judged: bool = False  # whether any rule could decide
    muted: int = 0  # findings that the user does not want to see, and that are not among `findings`

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """All that was set for the run, by name."""
        return settings_of(self.info)


@dataclass(frozen=True, eq=False)
class Opened:
    """A run that is held in memory: it is selected, or was chosen for comparing."""

    view: RunView
    diagnosis: Diagnosis


@dataclass(frozen=True, eq=False)
class RunsSnapshot:
    """One moment of a folder of runs."""

    folder: str
    rows: tuple[RunRow, ...] = ()
    opened: Mapping[str, Opened] = field(default_factory=dict)  # by path
    time: float = 0.0  # seconds since 1970, from which ages count
    listed: bool = False  # whether the folder has been searched
    problem: str = ""  # why it can't be

    def shows_the_same_as(self, other: RunsSnapshot) -> bool:
        """Tell whether nothing but ages would change; rows and opened runs are new objects when they are new."""
        return (
            (self.listed, self.problem, len(self.rows)) == (other.listed, other.problem, len(other.rows))
            and all(one is two for one, two in zip(self.rows, other.rows, strict=True))
            and self.opened.keys() == other.opened.keys()
            and all(run is other.opened[path] for path, run in self.opened.items())
        )


def recent_loss(values: FloatArray, steps: int) -> float | None:
    """Return the mean of the last finite losses of a run of `steps` steps, over the span of a smoothed curve.

    The last value alone would be mostly noise. NaN where the last value is not finite; None without values.
    """
    if not len(values):
        return None
    if not math.isfinite(values[-1]):
        return math.nan
    last = values[-min(max(steps // POINTS_A_SPAN, 1), LONGEST_SPAN) :]
    return float(np.mean(last[np.isfinite(last)]))


def best_result(view: RunView) -> Result | None:
    """Return the highest validation accuracy, where there is none the lowest validation loss."""
    for name in _RESULTS:
        values = view.series(name).finite().values
        if len(values):
            return Result(name, float(values.max() if name.endswith("accuracy") else values.min()))
    return None


def last_epoch(view: RunView) -> int | None:
    """Return the number of the last epoch that has ended."""
    return view.epochs[-1].number if view.epochs else None
