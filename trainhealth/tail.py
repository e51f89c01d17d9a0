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

CHUNK = 256 << 10  # bytes a read; what comes of them stays in the processor's cache
MARK = 256  # bytes at the beginning and before the end by which a file that was rewritten in place is known
HEAD = 4096  # bytes by which a format is recognised, where the file's first line is longer

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
        self._head = b""  # the first bytes read
        self._last = b""  # the last bytes read
        self._seen: tuple[int, int, int, int] | None = None

    def poll(self) -> tuple[bool, Iterator[bytes]]:
        """Return (restarted, new bytes in chunks); restarted: what came before is void, the file began anew.

        Raises:
            OSError: the file is there and can't be read.
        """
        try:
            signature = _signature(os.stat(self.path))
            self.exists = True
            if signature == self._seen:
                return False, iter(())
            restarted = False
            if self._fd < 0 or not self._goes_on(signature):
                self.close()
                self._fd = os.open(self.path, os.O_RDONLY)
                signature = _signature(os.fstat(self._fd))  # it may have been replaced since
                restarted = self._offset > 0
                self._offset, self._head, self._last = 0, b"", b""
        except FileNotFoundError:
            self.exists = False
            return False, iter(())
        self._seen = signature
        return restarted, self._read()

    def _goes_on(self, signature: tuple[int, int, int, int]) -> bool:
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


def _signature(stat: os.stat_result) -> tuple[int, int, int, int]:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


@dataclass(eq=False)
class _Source:
    """One event file of the run: its tail, its reader once the format is known, and its rank."""

    tail: Tail
    rank: int
    reader: Reader | None = None
    head: bytes = b""  # what has come while the format is not known
    failure: LogError | None = None  # it holds until the file begins anew


class Follower:
    """Follows a run (a folder, or one event file) and builds its view as far as the files have been written."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.restarts = 0  # how often a file was truncated or replaced
        self._sources: dict[Path, _Source] = {}
        self._builder = RunBuilder(str(path))
        self._info_seen: tuple[int, int, int, int] | None = None
        self._info_failure: LogError | None = None
        self._view: RunView | None = None

    @property
    def waiting(self) -> bool:
        """Whether nothing of the run is there yet."""
        return not any(source.tail.exists for source in self._sources.values()) and self._info_seen is None

    @property
    def unfinished(self) -> int:
        """Bytes of torn last lines."""
        sources = self._sources.values()
        return sum(len(source.head) + (source.reader.unfinished() if source.reader else 0) for source in sources)

    def poll(self) -> bool:
        """Read what is new; return whether anything was.

        What can be read is read even where something else can't.

        Raises:
            LogError: a file is no log of a known format, of a newer schema, or can't be read. It is raised by every
                poll until the cause is gone: a half-written ``run.json`` heals when it is complete, a file without
                permission when it has it, a file of another format when it is replaced.
        """
        try:
            changed = self._poll_info()
            for path in self._event_files():
                if path not in self._sources:
                    self._sources[path] = _Source(Tail(path), _rank_of(path))
        except OSError as error:
            raise _unreadable(self.path, error) from error
        failures = [self._info_failure]
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
                source.tail.close()
                failures.append(_unreadable(source.tail.path, error))
            failures.append(source.failure)
        if changed:
            self._view = None
        for failure in failures:
            if failure is not None:
                raise failure
        return changed

    def settle(self) -> None:
        """Take the files for complete: decide the format even of one that has not a whole line.

        Raises:
            LogError: it is no log of a known format.
        """
        for source in self._sources.values():
            if source.head:
                self._decide(source)
            if source.failure is not None:
                raise source.failure

    def view(self) -> RunView:
        """Return what has been read so far."""
        if self._view is None:
            self._view = self._builder.view()
        return self._view

    def _feed(self, source: _Source, chunk: bytes) -> None:
        if source.failure is not None:
            return
        if source.reader is None:
            source.head += chunk
            if b"\n" in source.head or len(source.head) >= HEAD:
                self._decide(source)
            return
        try:
            self._builder.feed(source.reader.feed(chunk), source.rank)
        except LogError as error:
            source.failure = LogError(f"{source.tail.path}: {error.message}", error.hint)

    def _decide(self, source: _Source) -> None:
        """Choose the reader by what has come so far, and give it that."""
        head, source.head = source.head, b""
        try:
            source.reader = _reader_for(head, source.tail.path)
        except LogError as error:
            source.failure = error
            return
        self._builder.format = source.reader.name
        self._feed(source, head)

    def _start_over(self) -> None:
        self.restarts += 1
        for source in self._sources.values():
            source.tail.close()
        self._sources = {}
        self._builder = RunBuilder(str(self.path))
        self._info_seen = self._info_failure = self._view = None

    def _event_files(self) -> list[Path]:
        if self.path.is_dir():
            return sorted(self.path.glob(EVENTS))
        return [self.path] if self.path.exists() else []

    def _poll_info(self) -> bool:
        """Read ``run.json`` where it is new; one that can't be parsed, be it half written, is kept as a failure."""
        if not self.path.is_dir() and not self.path.match(EVENTS):
            return False  # a foreign log's neighbours are not ours
        path = (self.path if self.path.is_dir() else self.path.parent) / INFO
        try:
            signature = _signature(path.stat())
            if signature == self._info_seen:
                return False
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            self._info_seen = self._info_failure = None
            return False
        except OSError as error:
            self._info_failure = _unreadable(path, error)
            return False
        self._info_seen, self._info_failure = signature, None
        try:
            self._builder.info = decode_info(data, str(path))
        except LogError as error:
            self._info_failure = error
        return True


def _rank_of(path: Path) -> int:
    digits = path.stem.removeprefix("events-")
    return int(digits) if digits.isdecimal() else 0


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


def _unreadable(path: Path, error: OSError) -> LogError:
    return LogError(f"{path}: {error.strerror or error}", "Check that the file is there and that you may read it.")
