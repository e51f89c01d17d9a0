"""The append-only event file: one `write` a record, so that a killed process loses nothing that was finished."""

from __future__ import annotations

import errno
import math
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from trainhealth.records import encode_step

GATHER_SECONDS = 1.0  # longest time that a record waits when writes are gathered
TIMED_EVERY = 8  # writes: one is timed
SLOW_IN_A_ROW = 5  # timed writes: one alone can be slow because another process had the core


StepFields: TypeAlias = tuple[int, float, float | None, float | None, float | None, int | None]
AccumulatedFields: TypeAlias = tuple[int, float, float | None, float | None, float | None, int | None, int]


class Writer:
    """Appends lines to one file.

    A write that fails (disk full, folder gone, permission lost) ends the logging and never the training: `failure` then
    holds the reason. Where writes take longer than `limit` (a network file system, very fast steps), records are
    gathered for at most a second; a thread of its own writes them, so that they reach the file even while training
    hangs. After a fork only the owner writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failure: OSError | None = None
        self.gathering = False
        self.limit = math.inf  # seconds that a write may take
        self.cost = 0.0  # seconds that a write takes, moving mean
        self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        self._slow = 0
        self._writes = 0
        self._gathered: deque[bytes | StepFields | AccumulatedFields] = deque()
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
        if self.gathering:
            self._gathered.append(line)
        elif self._fd >= 0:
            self._writes += 1
            if self._writes % TIMED_EVERY != 1:
                self._put(line)
                return
            begin = time.perf_counter()
            self._put(line)
            took = time.perf_counter() - begin
            self.cost += (0.1 if self.cost else 1.0) * (took - self.cost)
            self._look_whether_deleted()
            self._slow = self._slow + 1 if took > self.limit else 0
            if self._slow >= SLOW_IN_A_ROW:
                self._gather()

    def write_step(
        self,
        step: int,
        now: float,
        loss: float | None,
        accuracy: float | None = None,
        rate: float | None = None,
        size: int | None = None,
        micro_batches: int | None = None,
    ) -> None:
        """Append the line of a plain step; where records are gathered, the thread that writes puts it into words."""
        if self.gathering and micro_batches is None:
            self._gathered.append((step, now, loss, accuracy, rate, size))
        else:
            self.write(_line(step, now, loss, accuracy, rate, size, micro_batches))

    @property
    def gather(self) -> Callable[[StepFields | AccumulatedFields], None] | None:
        """What takes the arguments of `write_step`, while records are gathered: a function that is faster yet."""
        return self._gathered.append if self.gathering else None

    def flush(self) -> None:
        """Write what has been gathered."""
        with self._lock:
            lines = []
            while self._gathered:
                entry = self._gathered.popleft()
                lines.append(entry if isinstance(entry, bytes) else _line(*entry))
            if lines:
                self._put(b"".join(lines))
                self._look_whether_deleted()

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

    def _look_whether_deleted(self) -> None:
        """End the logging where the file is gone: what is written to it now, nobody will ever read."""
        if self._fd >= 0 and os.fstat(self._fd).st_nlink == 0:
            self.failure = FileNotFoundError(errno.ENOENT, "the log was deleted", str(self.path))
            self._abandon()

    def _gather(self) -> None:
        self.gathering = True
        flusher = threading.Thread(target=_flush_every_second, args=(weakref.ref(self),), daemon=True)
        flusher.name = "trainhealth-writer"
        flusher.start()

    def _abandon(self) -> None:
        fd, self._fd, self.gathering = self._fd, -1, False
        if fd >= 0:
            os.close(fd)


def _line(
    step: int,
    now: float,
    loss: float | None,
    accuracy: float | None,
    rate: float | None,
    size: int | None,
    micro_batches: int | None = None,
) -> bytes:
    line = encode_step(step, now, loss, train_accuracy=accuracy, learning_rate=rate, batch_size=size)
    return line if micro_batches is None else b'%s,"micro_batches":%d}\n' % (line[:-2], micro_batches)


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
        writer._gathered = deque()
        writer._abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_disown)
