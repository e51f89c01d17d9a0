"""What the dashboard knows at one moment, frozen: the thread that reads makes it, the widgets draw it."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from trainhealth.findings import Diagnosis, Finding
from trainhealth.series import RunView
from trainhealth.tui.amounts import duration

STALLED_AFTER = 60.0  # seconds without a record, at least
STALLED_INTERVALS = 20  # usual step intervals without a record, at least
LONGEST_PAUSE = 600.0  # seconds: a pause that the run has made before counts up to this (an evaluation, a checkpoint)
OWN_FORMAT = "trainhealth"
GONE_AFTER = 5.0  # seconds: a process that has just ended may still have its last record on the way


_ENDINGS = {
    "closed": "",
    "exit": "the script ended without closing the log",
    "exception": "an exception ended the script",
    "interrupted": "the script was interrupted",
}


class State(StrEnum):
    """What the log, and the process that writes it, are doing."""

    READING = "reading"  # nothing has been read yet
    WAITING = "waiting"  # there is no log yet
    LIVE = "live"
    STALLED = "stalled"  # it has not ended, and no record has come for long
    QUIET = "quiet"  # no record has come for long, and another tool's log does not say when it ends: most likely it has
    GONE = "process gone"  # it has not ended, and the process that wrote it is no more
    ENDED = "ended"
    REPLAY = "replay"  # an earlier moment of a run that is played again
    FAILED = "failed"  # it ended with an exception
    UNREADABLE = "unreadable"
    BROKEN = "broken"  # trainhealth itself failed


OVER = (State.ENDED, State.FAILED, State.GONE)  # nothing more will come


@dataclass(frozen=True)
class Condition:
    """A state, what there is to say about it, and what to do."""

    state: State
    text: str = ""
    hint: str = ""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One moment of a run: the log as far as it has been read, its diagnosis, and the state of affairs."""

    path: str
    condition: Condition = Condition(State.READING)
    view: RunView = field(default_factory=RunView)
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    diagnosed: bool = False  # whether the rules have run at all
    rules: int = 0  # how many there are
    restarts: int = 0  # how often the log was truncated or replaced
    muted: frozenset[str] = frozenset()  # ids of the findings that the user does not want to see in this run

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings that are not muted, in reading order."""
        return without_muted(self.diagnosis.findings, self.muted)

    @property
    def muted_findings(self) -> tuple[Finding, ...]:
        """The findings that are there, and muted."""
        return tuple(finding for finding in self.diagnosis.findings if finding.id in self.muted)

    def shows_the_same_as(self, other: Snapshot) -> bool:
        """Tell whether nothing on the screen would change; views and diagnoses are new objects when they are new."""
        return (
            self.view is other.view
            and self.diagnosis is other.diagnosis
            and self.condition == other.condition
            and self.restarts == other.restarts
        )


def without_muted(findings: Sequence[Finding], muted: Set[str]) -> tuple[Finding, ...]:
    """Return the findings that are not muted, in reading order; `muted` are ids.

    What only a muted finding explains has no cause any more, and stands where its own weight puts it.
    """
    shown = tuple(finding for finding in findings if finding.id not in muted)
    if len(shown) == len(findings):
        return shown
    known = {finding.id for finding in shown}
    return tuple(sorted(shown, key=lambda one: (not known.isdisjoint(one.caused_by), one.severity.rank)))


def condition_of(view: RunView, quiet: float, process_alive: bool | None, *, grown: bool = False) -> Condition:
    """Return the condition of a run whose log can be read; `quiet` is the time since its last record in seconds.

    `process_alive` is None where nobody can tell (the process runs elsewhere); `grown` is whether the log was seen to
    grow. Another tool's log does not say that it has ended: without that it is called live only while it is fresh.
    """
    if view.error is not None:
        return Condition(State.FAILED, f"{view.error.type}: {view.error.message}".rstrip(": "))
    if view.ended is not None:
        return Condition(State.ENDED, _ENDINGS.get(view.ended, view.ended))
    if process_alive is False and quiet > GONE_AFTER:
        return Condition(
            State.GONE,
            f"process {view.pid} was killed, or crashed",
            f"dmesg tells whether memory ran out. The log ends after step {view.last_step}, without an end.",
        )
    usual, limit = _patience(view)
    text = f"no new record for {duration(quiet)}"
    if view.format != OWN_FORMAT:
        if quiet > (limit if grown else STALLED_AFTER):
            return Condition(State.QUIET, f"{text}; this log does not say when it ends")
        return Condition(State.LIVE)
    if quiet <= limit:
        return Condition(State.LIVE)
    if usual:
        text += f" (usually every {duration(usual)})"
    if process_alive is None and view.pid:
        text += f"; process {view.pid} is not on this machine, or was killed"
    hint = f"Where it stands: py-spy dump --pid {view.pid}" if process_alive else ""
    return Condition(State.STALLED, text, hint)


def _patience(view: RunView) -> tuple[float, float]:
    """Return the usual time between steps (0 while unknown), and how long a silence means nothing."""
    times = view.times.values[-2000:]
    if len(times) < 2:
        return 0.0, LONGEST_PAUSE
    intervals = np.diff(times)
    usual = float(np.sort(intervals)[len(intervals) // 2])  # np.median would import numpy.ma before the first curves
    seen = min(2 * float(intervals.max()), LONGEST_PAUSE)
    return usual, max(STALLED_AFTER, STALLED_INTERVALS * usual, seen)
