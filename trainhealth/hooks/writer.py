"""The append-only event file: one `write` a record, so that a killed process loses nothing that was finished."""

from __future__ import annotations

import os
import threading
import time
import weakref
from pathlib import Path

GATHER_SECONDS = 1.0  # longest time that a record waits when writes are gathered
TIMED_EVERY = 8  # writes: one is timed
SLOW_IN_A_ROW = 5  # timed writes: one alone can be slow because another process had the core
SLOW_WRITE = 2e-4  # seconds a write: about a hundred times a local disk's page cache


class Writer:
    """Appends lines to one file.

    A write that fails (disk full, folder gone, permission lost) ends the logging and never the training: `failure` then
    holds the reason. Where writes are slow (a network file system) lines are gathered for at most a second, by a thread
    of its own, so that they reach the file even while training hangs. After a fork only the owner writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failure: OSError | None = None
        self.bytes_written = 0
        self.gathering = False
        self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        self._slow = 0
        self._writes = 0
        self._gathered: list[bytes] = []
        self._lock = threading.Lock()
        _OPEN.add(self)
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            self._put(b"\n")  # a killed process left half a line: what follows is a line of its own

    @property
    def open(self) -> bool:
        """Whether lines still reach the file."""
        return self._fd >= 0

    def write(self, line: bytes) -> None:
        """Append whole lines; they are in the file when this returns, unless writes are being gathered."""
        if self._fd < 0:
            return
        self.bytes_written += len(line)
        if self.gathering:
            with self._lock:
                self._gathered.append(line)
            return
        self._writes += 1
        if self._writes % TIMED_EVERY != 1:
            self._put(line)
            return
        begin = time.perf_counter()
        self._put(line)
        self._slow = self._slow + 1 if time.perf_counter() - begin > SLOW_WRITE else 0
        if self._slow >= SLOW_IN_A_ROW:
            self._gather()

    def flush(self) -> None:
        """Write what has been gathered."""
        with self._lock:
            lines, self._gathered = b"".join(self._gathered), []
            if lines:
                self._put(lines)

    def close(self) -> None:
        """Flush and let go of the file."""
        self.flush()
        self._abandon()

    def _put(self, data: bytes) -> None:
        try:
            written = os.write(self._fd, data)
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError as error:
            self.failure = error
            self._abandon()

    def _gather(self) -> None:
        self.gathering = True
        flusher = threading.Thread(target=_flush_every_second, args=(weakref.ref(self),), daemon=True)
        flusher.name = "trainhealth-writer"
        flusher.start()

    def _abandon(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _flush_every_second(writer: weakref.ref[Writer]) -> None:
    while True:
        time.sleep(GATHER_SECONDS)
        alive = writer()
        if alive is None or not alive.open:
            return
        alive.flush()
        del alive


_OPEN: weakref.WeakSet[Writer] = weakref.WeakSet()


def _disown() -> None:
    """In a forked child (a data loader's worker): the file belongs to the parent."""
    for writer in list(_OPEN):
        writer._lock = threading.Lock()  # the parent's flusher may have held it at the fork
        writer._gathered = []
        writer._abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_disown)
