"""What the dashboard costs beside a job: its own work, without what somebody at the keys asks for."""

from __future__ import annotations

import time
from collections.abc import Callable

DRAWING = 1.0  # seconds after a snapshot in which all that this process does is taken for the drawing of it


class Meter:
    """Reads the processor time since the last reading, in seconds; `process` and `thread` are the clocks of both."""

    def __init__(
        self, process: Callable[[], float] = time.process_time, thread: Callable[[], float] = time.thread_time
    ) -> None:
        self._process, self._thread = process, thread
        self._all, self._here = process(), thread()

    def read(self, since_posted: float) -> float:
        """Return what the snapshots have cost; `since_posted` are the seconds since the last one was posted.

        While one may still be drawn that is the time of the whole process, later that of this thread alone: what the
        others do then is for somebody at the keys, who would else be shown the older a state the more he looks.
        """
        all_since, here_since = self._process() - self._all, self._thread() - self._here
        self._all, self._here = self._all + all_since, self._here + here_since
        return all_since if since_posted < DRAWING else here_since
