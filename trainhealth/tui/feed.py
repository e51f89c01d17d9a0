"""The thread behind the dashboard: it reads and diagnoses, and posts one snapshot after another.

It must not slow the job that it watches. Reading and diagnosing, and what this process does while a snapshot is drawn,
come out of a budget, and the next snapshot waits until it has been earned. What somebody at the keys asks for does not:
who pages through the views would else be shown what was true before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from trainhealth.paging import let_go, page_out_from_now_on
from trainhealth.tui.budget import Budget
from trainhealth.tui.meter import Meter
from trainhealth.tui.snapshot import Snapshot

# Seconds between two looks at the files. A look takes 30 µs; inotify (watchdog) would report a line up to this much
# earlier, and beside a job of 100 steps a second it takes 2.5 % of a core, eighty times as much.
POLL = 0.1
INTERVAL = 0.25  # seconds between two snapshots, at least
SHARE = 0.04  # of one core, for everything that this process does of itself
TIDY = 0.25  # seconds until memory is given back again, which takes 0.1 ms where there is none to give
ALLOWANCE = 1.0  # seconds of processor time before the share counts: the start is when people look


class Turning(Protocol):
    """What makes the snapshots, turn after turn."""

    @property
    def eager(self) -> bool:
        """Whether the next turn has work that need not wait."""

    def turn(self, *, may_look: bool = True) -> Snapshot | None:
        """Return a snapshot if there is something new (and `may_look`), else None. Never raises."""


class Feed:
    """Runs a `Reading` (or a replay) in a thread of its own and hands its snapshots to `post`.

    `share` is what this process may take of one core.
    """

    def __init__(self, reading: Turning, post: Callable[[Snapshot], None], *, share: float = SHARE) -> None:
        self._reading, self._post, self._share = reading, post, share
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trainhealth-feed", daemon=True)

    def start(self) -> None:
        """Begin to follow; what the dashboard holds of a long run stays out of the machine's memory from here on."""
        page_out_from_now_on()
        self._thread.start()

    def stop(self) -> None:
        """Stop following; nothing waits for the thread, which only reads."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Wait until the thread has ended, at most `seconds`."""
        self._thread.join(seconds)

    @property
    def running(self) -> bool:
        """Whether the thread is at work."""
        return self._thread.is_alive()

    def _run(self) -> None:
        budget = Budget(self._share, ALLOWANCE, time.monotonic())
        meter, posted, tidied = Meter(), -INTERVAL, 0.0
        while not self._stop.is_set():
            now = time.monotonic()
            snapshot = self._reading.turn(may_look=now - posted >= INTERVAL and budget.affords(now))
            if snapshot is not None:
                self._post(snapshot)
                posted = now
            elif now - tidied >= TIDY:
                let_go()  # the rules have had all of the run in memory, and the charts much of it
                tidied = now
            budget.spend(meter.read(now - posted), time.monotonic())
            # what was posted is drawn before the rules are imported, which would hold the interpreter for long
            if snapshot is not None or not self._reading.eager:
                self._stop.wait(POLL)
