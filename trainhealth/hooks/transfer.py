"""Brings numbers from the device without making the training stream wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

LATEST = 8  # copies under way at most: a record is at most so many steps late


class Transfer:
    """A queue of copies to the host, delivered in order.

    On the CPU a delivery is immediate. On CUDA the copy goes into pinned memory behind an event that later calls of
    `poll` only ask, so nothing waits; other devices are read at the next step.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Any, list[Tensor], Callable[[list[Tensor]], None]]] = deque()

    @property
    def waiting(self) -> bool:
        """Whether a copy is still under way."""
        return bool(self._waiting)

    def submit(self, tensors: list[Tensor], deliver: Callable[[list[Tensor]], None]) -> None:
        """Hand `tensors` (detached; of one device) to `deliver` as host tensors, after all that came before."""
        device = next((tensor.device for tensor in tensors if tensor.device.type != "cpu"), None)
        if device is None:
            if self._waiting:
                self._waiting.append((None, tensors, deliver))
                self.poll()
            else:
                deliver(tensors)
            return
        if device.type == "cuda":
            copies = [torch.empty(t.shape, dtype=t.dtype, pin_memory=True).copy_(t, non_blocking=True) for t in tensors]
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            event.record(torch.cuda.current_stream(device))
            self._waiting.append((event, copies, deliver))
        else:
            self._waiting.append((False, [tensor.clone() for tensor in tensors], deliver))
        self.poll()

    def poll(self, wait: bool = False) -> None:
        """Deliver what has arrived; with `wait`, everything."""
        while self._waiting:
            event, tensors, deliver = self._waiting[0]
            late = wait or len(self._waiting) > LATEST
            if event is False and len(self._waiting) < 2 and not late:
                return  # a device without events: its numbers are read one step later
            if isinstance(event, torch.cuda.Event) and not event.query():  # type: ignore[no-untyped-call]  # likewise
                if not late:
                    return
                event.synchronize()
            self._waiting.popleft()
            deliver([tensor.cpu() for tensor in tensors] if event is False else tensors)
