"""The time between steps: how long a training waits for its next batch."""

from __future__ import annotations

import math
import time

from trainhealth.hooks.sample import Sample


class Loading:
    """Adds up the gaps from the end of a step to the next training forward; two readings of the clock a step.

    A gap in which something else happened (an evaluation) is left out of the whole, and so are steps whose forwards are
    not seen. Only a host that computes by itself is judged: on an accelerator the gap may as well be spent waiting for
    it.
    """

    def __init__(self) -> None:
        self.ended_at = math.nan  # when the last step ended
        self.interrupted = False  # something else happened since
        self._gaps = 0
        self._waited = 0.0
        self._elapsed = 0.0  # in which gaps were seen, before `_since`
        self._since = math.nan  # when the account was opened; NaN while it is closed

    def batch_came(self) -> None:
        """The first training forward after a step begins."""
        gap = time.perf_counter() - self.ended_at
        if gap != gap:
            return  # the first step: what was before it is no loading
        if self.interrupted:
            self.interrupted = False
            self._elapsed -= gap
        else:
            self._waited += gap
            self._gaps += 1

    def pause(self) -> None:
        """From the end of the last step on, forwards are not seen."""
        if self._since == self._since:
            self._elapsed += time.perf_counter() - self._since
        self._since = self.ended_at = math.nan

    def go_on(self) -> None:
        """A step has ended, and forwards are seen again."""
        self._since = self.ended_at = time.perf_counter()

    def put_into(self, sample: Sample) -> None:
        """Put the share since the sample before."""
        now = time.perf_counter()
        elapsed = now - self._since + self._elapsed
        if self._gaps and elapsed > 0:
            sample.batch("data_share", min(self._waited / elapsed, 1.0))
        self._since, self._waited, self._elapsed, self._gaps = now, 0.0, 0.0, 0
