"""A finished run, played again: what the dashboard would have shown at each of its steps.

The screen's keys say where the replay is and how fast it goes; the feed's thread makes the snapshots of it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trainhealth.earlier import as_of
from trainhealth.findings import Diagnosis
from trainhealth.rules.engine import all_rules, diagnose
from trainhealth.series import RunView
from trainhealth.tui.failures import failure_text, record_failure
from trainhealth.tui.snapshot import Condition, Snapshot, State, condition_of
from trainhealth.tui.timeline import Timeline, next_speed, timeline

_KEPT = 200  # diagnoses, for going back and forth


@dataclass(frozen=True)
class Place:
    """Where a replay is."""

    index: int  # of the step, in the timeline
    second: float
    speed: float
    playing: bool


class Replay:
    """Plays the run at `path`; without a `speed`, in about a minute. Every method may be called from any thread."""

    def __init__(
        self,
        path: str,
        view: RunView,
        options: Mapping[str, Mapping[str, Any]],
        speed: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.timeline: Timeline = timeline(view)
        self._path, self._view, self._options, self._clock = path, view, options, clock
        self._lock = threading.Lock()
        self._speed = speed or self.timeline.handy_speed()
        self._second, self._at = 0.0, clock()  # where the replay was, and when
        self._playing = True
        self._shown = -1  # the index that the last snapshot showed
        self._diagnoses: OrderedDict[int, Diagnosis] = OrderedDict()

    eager = False  # no turn has work that need not wait

    @property
    def place(self) -> Place:
        """Where the replay is now."""
        with self._lock:
            self._go_on()
            return Place(self.timeline.index(self._second), self._second, self._speed, self._playing)

    def play(self) -> None:
        """Pause, or go on; from the end, begin anew."""
        with self._lock:
            self._go_on()
            if not self._playing and self._second >= self.timeline.length:
                self._second = 0.0
            self._playing = not self._playing

    def faster(self, by: int) -> None:
        """Take the next higher of the usual speeds, or the next lower."""
        with self._lock:
            self._go_on()
            self._speed = next_speed(self._speed, by)

    def step(self, by: int) -> None:
        """Pause, and go some steps forward or back."""
        with self._lock:
            self._go_on()
            index = min(max(self.timeline.index(self._second) + by, 0), max(len(self.timeline.steps) - 1, 0))
            self._playing = False
            self._second = float(self.timeline.seconds[index]) if len(self.timeline.steps) else 0.0

    def seek(self, share: float) -> None:
        """Go to a share of the whole, from 0 to 1."""
        with self._lock:
            self._go_on()
            self._second = min(max(share, 0.0), 1.0) * self.timeline.length

    def turn(self, *, may_look: bool = True) -> Snapshot | None:
        """Return a snapshot where the replay has reached another step, else None. Never raises."""
        index = self.place.index
        if not may_look or index == self._shown:
            return None
        self._shown = index
        try:
            return self._snapshot(index)
        except Exception as error:  # noqa: BLE001  # no exception reaches the user as a traceback
            return Snapshot(self._path, Condition(State.BROKEN, failure_text(error, record_failure(error))))

    def _go_on(self) -> None:
        """Move on by the time that has passed."""
        now = self._clock()
        if self._playing:
            self._second = min(self._second + (now - self._at) * self._speed, self.timeline.length)
            self._playing = self._second < self.timeline.length
        self._at = now

    def _snapshot(self, index: int) -> Snapshot:
        steps = self.timeline.steps
        last = index >= len(steps) - 1
        view = self._view if last else as_of(self._view, int(steps[index]))
        condition = condition_of(view, 0.0, None) if last else Condition(State.REPLAY)
        return Snapshot(
            self._path,
            condition if condition.state is not State.LIVE else Condition(State.REPLAY),
            view,
            self._diagnosis(index, view),
            diagnosed=True,
            rules=len(all_rules()),
        )

    def _diagnosis(self, index: int, view: RunView) -> Diagnosis:
        known = self._diagnoses.pop(index, None)
        self._diagnoses[index] = known or diagnose(view, self._options)
        if len(self._diagnoses) > _KEPT:
            self._diagnoses.popitem(last=False)
        return self._diagnoses[index]
