"""What reaches the log and the user: records in their order, and what there is to say about the watching itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor

from trainhealth.hooks.transfer import Transfer
from trainhealth.hooks.warning import warn_once
from trainhealth.records import EventRecord, Record, encode

if TYPE_CHECKING:
    from trainhealth.hooks.governor import Governor
    from trainhealth.hooks.writer import Writer


class Journal:
    """Writes records after all that came before them, also where those still wait for numbers from the device."""

    def __init__(self, writer: Writer, governor: Governor, first_step: int) -> None:
        self.writer = writer
        self.governor = governor
        self.next_step = first_step  # how many steps are finished, which records name
        self.transfer = Transfer()
        self._told_gathering = self._told_thinning = False

    def emit(self, record: Record) -> None:
        """Write a record after all that came before it."""
        self.transfer.submit([], lambda _: self.write(encode(record)))

    def submit(self, tensors: list[Tensor], deliver: Callable[[list[Tensor]], None]) -> None:
        """Bring `tensors` to the host and hand them to `deliver`, after all that came before."""
        self.transfer.submit(tensors, deliver)

    def write(self, line: bytes) -> None:
        """Append a line to the file."""
        self.writer.write(line)
        self.notice_failure()

    def notice_failure(self) -> None:
        """Warn, once, where the file can't be written any more."""
        if self.writer.failure is not None:
            reason = self.writer.failure.strerror or str(self.writer.failure)
            warn_once(f"{self.writer.path}: {reason}. Logging has stopped; training goes on.")

    def bring_over(self) -> None:
        """Write everything that is still under way."""
        self.transfer.poll(wait=True)
        self.writer.flush()

    def tell(self, event: str, message: str) -> None:
        """Write down, for who reads the log, something about the watching."""
        self.emit(EventRecord(step=self.next_step, time=time.time(), event=event, message=message))

    def tell_savings(self) -> None:
        """Tell, once each, what the budgets of time and disk have made us leave out."""
        if self.writer.gathering and not self._told_gathering:
            self._told_gathering = True
            message = (
                f"a write takes {1e6 * self.writer.cost:.0f} µs, more than the budget of time allows in each step: "
                "records are gathered for up to a second, which a killed process loses"
            )
            self.tell("writes-gathered", message)
        if self.governor.thinned_by_disk and not self._told_thinning:
            self._told_thinning = True
            message = "fewer steps are sampled than time would allow, so that the log stays within `disk`"
            self.tell("samples-thinned", message)

    def report(self, event: str, what: str, error: Exception, data: dict[str, Any]) -> None:
        """Tell the log and the user, once, that a part of ours has failed."""
        cause = f"{type(error).__name__}: {error}"
        message = f"{what} failed and is switched off: {cause}"
        self.emit(EventRecord(step=self.next_step, time=time.time(), event=event, message=message, data=data))
        warn_once(f"trainhealth: {message}. Training goes on.")
