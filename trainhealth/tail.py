"""Opening, waiting, truncation and rotation: one file that grows while it is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

CHUNK = 256 << 10  # bytes a read; what comes of them stays in the processor's cache
MARK = 256  # bytes at the beginning and before the end by which a file that was rewritten in place is known

# device, inode, size, time of the last change (ns): equal ones mean that nothing has happened
Signature: TypeAlias = tuple[int, int, int, int]


class Tail:
    """Follows one file by polling `stat`, which works on network file systems and over containers' mounts.

    The file may not exist yet, grow, be truncated, be replaced (another inode), be rewritten in place, or vanish.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.exists = False
        self._fd = -1
        self._offset = 0
        self._head = b""  # the first bytes read
        self._last = b""  # the last bytes read
        self._seen: Signature | None = None

    def poll(self) -> tuple[bool, Iterator[bytes]]:
        """Return (restarted, new bytes in chunks); restarted: what came before is void, the file began anew.

        Raises:
            OSError: the file is there and can't be read.
        """
        try:
            signature = signature_of(os.stat(self.path))
            self.exists = True
            if signature == self._seen:
                return False, iter(())
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
        self._seen = signature
        return restarted, self._read()

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


def signature_of(stat: os.stat_result) -> Signature:
    """Return what changes when a file does."""
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
