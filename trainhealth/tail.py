"""Opening, waiting, truncation and rotation: files that grow while they are read, and a run folder made of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainhealth import plugins
from trainhealth.builder import RunBuilder
from trainhealth.errors import LogError
from trainhealth.readers.base import Reader
from trainhealth.records import decode_info
from trainhealth.series import RunView

CHUNK = 4 << 20  # bytes a read
HEAD = 256  # bytes at the beginning by which a file rewritten in place is told from one that grew

EVENTS = "events-*.jsonl"
INFO = "run.json"


class Tail:
    """Follows one file by polling `stat`, which works on network file systems and over containers' mounts.

    The file may not exist yet, grow, be truncated, be replaced (another inode), be rewritten in place, or vanish.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.exists = False
        self._fd = -1
        self._offset = 0
        self._head = b""
        self._seen: tuple[int, int, int, int] | None = None

    def poll(self) -> tuple[bool, Iterator[bytes]]:
        """Return (restarted, new bytes in chunks); restarted: what came before is void, the file began anew.

        Raises:
            OSError: the file is there and can't be read.
        """
        try:
            stat = os.stat(self.path)
        except FileNotFoundError:
            self.exists = False
            return False, iter(())
        self.exists = True
        signature = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if signature == self._seen:
            return False, iter(())
        restarted = self._reopen_if_replaced(stat)
        self._seen = signature
        return restarted, self._read()

    def _reopen_if_replaced(self, stat: os.stat_result) -> bool:
        had = self._offset > 0
        if self._fd >= 0:
            same = self._seen is not None and self._seen[:2] == (stat.st_dev, stat.st_ino)
            if same and stat.st_size >= self._offset and os.pread(self._fd, len(self._head), 0) == self._head:
                return False
            self.close()
        self._fd = os.open(self.path, os.O_RDONLY)
        self._offset, self._head = 0, b""
        return had

    def _read(self) -> Iterator[bytes]:
        while self._fd >= 0:
            chunk = os.pread(self._fd, CHUNK, self._offset)
            if not chunk:
                return
            if len(self._head) < HEAD:
                self._head = (self._head + chunk)[:HEAD]
            self._offset += len(chunk)
            yield chunk

    def close(self) -> None:
        """Let go of the file; a later poll opens it again from the beginning."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()


@dataclass(eq=False)
class _Source:
    """One event file of the run: its tail, its reader once the format is known, and its rank."""

    tail: Tail
    rank: int
    reader: Reader | None = None


class Follower:
    """Follows a run (a folder, or one event file) and builds its view as far as the files have been written."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.restarts = 0  # how often a file was truncated or replaced
        self._sources: dict[Path, _Source] = {}
        self._builder = RunBuilder(str(path))
        self._info_seen: tuple[int, int] | None = None
        self._view: RunView | None = None

    @property
    def waiting(self) -> bool:
        """Whether nothing of the run is there yet."""
        return not any(source.tail.exists for source in self._sources.values()) and self._info_seen is None

    @property
    def unfinished(self) -> int:
        """Bytes of torn last lines."""
        return sum(source.reader.unfinished() for source in self._sources.values() if source.reader)

    def poll(self) -> bool:
        """Read what is new; return whether anything was.

        Raises:
            LogError: a file is no log of a known format, of a newer schema, or can't be read.
        """
        changed = self._poll_info()
        for path in self._event_files():
            if path not in self._sources:
                self._sources[path] = _Source(Tail(path), _rank_of(path))
        for source in list(self._sources.values()):
            try:
                restarted, chunks = source.tail.poll()
                if restarted:
                    self._start_over()
                    return self.poll() or True
                for chunk in chunks:
                    self._feed(source, chunk)
                    changed = True
            except OSError as error:
                raise LogError(
                    f"{source.tail.path}: {error.strerror or error}", "Check the file's permissions."
                ) from error
        if changed:
            self._view = None
        return changed

    def view(self) -> RunView:
        """Return what has been read so far."""
        if self._view is None:
            self._view = self._builder.view()
        return self._view

    def _feed(self, source: _Source, chunk: bytes) -> None:
        if source.reader is None:
            source.reader = _reader_for(chunk, source.tail.path)
            self._builder.format = source.reader.name
        try:
            records = source.reader.feed(chunk)
        except LogError as error:
            raise LogError(f"{source.tail.path}: {error.message}", error.hint) from error
        self._builder.feed(records, source.rank)

    def _start_over(self) -> None:
        self.restarts += 1
        for source in self._sources.values():
            source.tail.close()
        self._sources = {}
        self._builder = RunBuilder(str(self.path))
        self._info_seen, self._view = None, None

    def _event_files(self) -> list[Path]:
        return sorted(self.path.glob(EVENTS)) if self.path.is_dir() else [self.path]

    def _poll_info(self) -> bool:
        path = (self.path if self.path.is_dir() else self.path.parent) / INFO
        try:
            stat = path.stat()
            if (stat.st_mtime_ns, stat.st_size) == self._info_seen:
                return False
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise LogError(f"{path}: {error.strerror or error}", "Check the file's permissions.") from error
        self._info_seen = (stat.st_mtime_ns, stat.st_size)
        self._builder.info = decode_info(data, str(path))
        self._view = None
        return True


def _rank_of(path: Path) -> int:
    digits = path.stem.removeprefix("events-")
    return int(digits) if digits.isdigit() else 0


def _reader_for(head: bytes, path: Path) -> Reader:
    """Return the reader that is surest of the file.

    Raises:
        LogError: none recognises it.
    """
    readers: tuple[type[Reader], ...] = plugins.load("trainhealth.readers")
    surest = max(readers, key=lambda reader: reader.sniff(head, path.name))
    if surest.sniff(head, path.name) <= 0.0:
        formats = ", ".join(sorted(reader.name for reader in readers))
        raise LogError(f"{path}: not a log of a known format (begins with {head[:40]!r})", f"Known formats: {formats}.")
    return surest()
