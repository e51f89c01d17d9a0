"""Ends that come from outside: SIGTERM, and a terminal that goes (a closed window, a lost ssh connection)."""

from __future__ import annotations

import os
import signal
import sys
import termios
from collections.abc import Callable
from types import FrameType


def on_ending(leave: Callable[[int], None]) -> Callable[[], None]:
    """Call `leave` with the exit code on SIGTERM and SIGHUP; return how to put the handlers back that were there.

    Where the terminal is gone, the process ends at once instead. Such a terminal sends SIGHUP and then SIGCONT, on
    which Textual draws anew; its thread that writes dies of that, and its `exit` would wait for the thread for ever.
    Nothing is lost: the dashboard only reads, and there is nothing to restore. These are plain signal handlers, which
    run before that of SIGCONT; asyncio's would run after it.
    """

    def end(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP and _terminal_is_gone():
            os._exit(128 + number)
        leave(128 + number)

    try:
        previous = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    except ValueError:  # not in the main thread: whoever owns that handles signals
        previous = {}

    def put_back() -> None:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    return put_back


def _terminal_is_gone() -> bool:
    try:
        termios.tcgetattr(sys.__stdin__.fileno() if sys.__stdin__ else 0)
    except (termios.error, OSError, ValueError):
        return True
    return False
