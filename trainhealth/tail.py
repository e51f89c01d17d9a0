"""Opening, waiting, truncation and rotation: one file that grows while it is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

CHUNK = 256 << 10  # bytes a read; what comes of them stays in the processor's cache
MARK = 256  # bytes at the beginning and before the end by which a file that was rewritten in place is known
WRITE_AHEAD = "-wal"  # behind the name of an SQLite database: its write-ahead log
TRIES = 5  # to read a database and its log while neither changes

# device, inode, size, time of the last change (ns): equal ones mean that nothing has happened
Signature: TypeAlias = tuple[int, int, int, int]


class Tail:
    """Follows one file by polling `stat`, which works on network file systems and over containers' mounts.

    The file may not exist yet, grow, be truncated, be replaced (another inode), be rewritten in place, or vanish. An
    SQLite database with a write-ahead log beside it is changed anywhere: with every change it begins anew, as it is
    with that log.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._log_path = Path(f"{path}{WRITE_AHEAD}")
        self.exists = False
        self._fd = -1
        self._offset = 0
        self._head = b""  # the first bytes read
        self._last = b""  # the last bytes read
        self._seen: Signature | None = None
        self._log_seen: Signature | None = None  # of the write-ahead log beside it

    def poll(self) -> tuple[bool, Iterator[bytes]]:
        """Return (restarted, new bytes in chunks); restarted: what came before is void, the file began anew.

        Raises:
            OSError: the file is there and can't be read.
        """
        try:
            signature, log = _signatures_of(self.path, self._log_path)
            self.exists = True
            if (signature, log) == (self._seen, self._log_seen):
                return False, iter(())
            if log is not None:
                restarted = self._offset > 0
                self.close()
                self._seen, self._log_seen = signature, log
                return restarted, self._read_database()
            restarted = False
            if self._fd < 0 or not self._goes_on(signature):
                self.close()
                self._fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)  # a named pipe fails instead of waiting
                signature = signature_of(os.fstat(self._fd))  # it may have been replaced since
                restarted = self._offset > 0
                self._offset, self._head, self._last = 0, b"", b""
        except FileNotFoundError:
            self.exists = False
            return False, iter(())
        self._seen, self._log_seen = signature, None
        return restarted, self._read()

    def _read_database(self) -> Iterator[bytes]:
        data = database_at(self.path)
        self._offset = len(data)
        yield from (data[begin : begin + CHUNK] for begin in range(0, len(data), CHUNK))

    def _goes_on(self, signature: Signature) -> bool:
        """Tell whether the file at the path is the open one, with all that was read of it still in place."""
        same = self._seen is not None and self._seen[:2] == signature[:2]
        return (
            same
            and signature[2] >= self._offset
            and os.pread(self._fd, len(self._head), 0) == self._head
            and os.pread(self._fd, len(self._last), self._offset - len(self._last)) == self._last
        )

    def _read(self) -> Iterator[bytes]:
        while self._fd >= 0 and (chunk := os.pread(self._fd, CHUNK, self._offset)):
            if len(self._head) < MARK:
                self._head = (self._head + chunk)[:MARK]
            self._last = (self._last + chunk)[-MARK:] if len(chunk) < MARK else chunk[-MARK:]
            self._offset += len(chunk)
            yield chunk

    def close(self) -> None:
        """Let go of the file; a later poll opens it again from the beginning."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._seen = None

    def __del__(self) -> None:
        self.close()


def database_at(path: Path) -> bytes:
    """Return the bytes of an SQLite database, with what is committed in the write-ahead log beside it.

    Neither file is opened for writing, nor locked: where one has changed meanwhile, both are read again.

    Raises:
        OSError: the database can't be read.
    """
    from trainhealth.readers.write_ahead import with_log  # needs sqlite3, which few logs do

    log_path = Path(f"{path}{WRITE_AHEAD}")
    for _ in range(TRIES):
        before = _signatures_of(path, log_path)
        log = log_path.read_bytes() if before[1] is not None else b""
        data = path.read_bytes()
        if _signatures_of(path, log_path) == before:
            break
    return with_log(data, log)


def _signatures_of(path: Path, log_path: Path) -> tuple[Signature, Signature | None]:
    """Return the signatures of a file and of its write-ahead log; None where it has none, or one with nothing in it."""
    own = signature_of(path.stat())
    try:
        log = signature_of(log_path.stat())
    except OSError:
        return own, None
    return own, log if log[2] else None


def signature_of(stat: os.stat_result) -> Signature:
    """Return what changes when a file does."""
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
