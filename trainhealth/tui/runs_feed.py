"""The thread behind the table of runs: it reads, and posts one snapshot of the folder after another."""

from __future__ import annotations

import threading
from collections.abc import Callable

from trainhealth.tui.runs_reading import RunsReading, Wish
from trainhealth.tui.runs_row import RunsSnapshot
from trainhealth.tui.runs_waking import Waking

POLL = 0.25  # seconds between two turns in which there is nothing to do


class RunsFeed:
    """Runs a `RunsReading` in a thread of its own and hands its snapshots to `post`."""

    def __init__(self, reading: RunsReading, post: Callable[[RunsSnapshot], None]) -> None:
        self._reading, self._post = reading, post
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._news = threading.Event()  # something has happened in the folder
        self._thread = threading.Thread(target=self._run, name="trainhealth-runs", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; nothing waits for the thread, which only reads."""
        self._stopped.set()
        self._wake.set()

    def join(self, seconds: float) -> None:
        """Wait until the thread has ended, at most `seconds`."""
        self._thread.join(seconds)

    @property
    def running(self) -> bool:
        """Whether the thread is at work."""
        return self._thread.is_alive()

    def want(self, wish: Wish) -> None:
        """Read for this wish from now on."""
        if wish != self._reading.wish:
            self._reading.wish = wish
            self._wake.set()

    def _heard(self) -> None:
        self._news.set()
        self._wake.set()

    def _run(self) -> None:
        waking = Waking(self._heard)
        try:
            while not self._stopped.is_set():
                self._wake.clear()
                waking.listen(self._reading.folders)  # before it searches: what comes in between is not missed
                if self._news.is_set():
                    self._news.clear()
                    self._reading.search_soon()
                snapshot = self._reading.turn()
                if snapshot is not None:
                    self._post(snapshot)
                if not self._reading.busy:
                    self._wake.wait(POLL)
        finally:
            waking.stop()
