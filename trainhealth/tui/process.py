"""Whether the training process is still there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from trainhealth.machine import machine
from trainhealth.series import RunView

Alive: TypeAlias = Callable[[int, float], bool]

_SLACK = 2.0  # seconds by which the clock of a log and that of the kernel may differ


class Writer:
    """The process that writes a log, as far as it can be seen from here."""

    def __init__(self, alive: Alive, here: str | None = None) -> None:
        self._alive = alive
        self._here = machine() if here is None else here
        self._seen = 0  # the pid that was seen to be a process of this machine

    def is_there(self, view: RunView) -> bool | None:
        """Tell whether the process is there; None where that can't be told: it may run on another machine."""
        if not view.pid or (view.host and view.host != self._here):
            return None
        if self._alive(view.pid, view.last_time):
            self._seen = view.pid
            return True
        return False if view.host or view.pid == self._seen else None


def process_alive(pid: int, wrote: float) -> bool:
    """Tell whether a process of this machine has the number `pid` and had it at the time `wrote`.

    One that has ended and waits for its parent is not alive. A run that trains on another machine, or in a container,
    is not visible here: False is no proof.
    """
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is somebody else's
        pass
    try:
        # "4242 (python) Z …": the state follows the name, which may hold brackets and blanks itself
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, AttributeError):
        return True  # no /proc (macOS), or it has just ended
    number_is_used_again = time.time() - age > wrote + _SLACK
    return fields[0] != "Z" and not number_is_used_again
