"""A run folder made of growing files: finds them, chooses their readers, and builds one view."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trainhealth import plugins
from trainhealth.builder import RunBuilder
from trainhealth.errors import LogError
from trainhealth.foreign import joined, understood
from trainhealth.readers.base import DEFAULT_NAMES, Reader
from trainhealth.readers.names import Names
from trainhealth.readers.trainhealth_jsonl import TrainHealthReader
from trainhealth.records import decode_info
from trainhealth.series import RunView
from trainhealth.tail import Signature, Tail, signature_of

HEAD = 4096  # bytes that are waited for where the file's first line is longer
SURE = 0.25  # of a format, from which on what has come is enough, and a file that nobody has named counts as a log
SNIFFED = 256 << 10  # bytes by which a format is recognised: a log may begin with pages of settings

EVENTS = "events-*.jsonl"
INFO = "run.json"


@dataclass(eq=False)
class _Source:
    """One file of the run: its tail, its reader once the format is known, and what is built of it."""

    tail: Tail
    rank: int
    builder: RunBuilder  # one for all ranks of our own log; a foreign file has its own
    reader: Reader | None = None
    head: bytes = b""  # what has come while the format is not known
    failure: LogError | None = None  # it holds until the file begins anew


class Follower:
    """Follows a run (a folder, or one file) and builds its view as far as the files have been written."""

    def __init__(self, path: str | os.PathLike[str], names: Names = DEFAULT_NAMES) -> None:
        self.path = Path(path)
        self.names = names
        self.restarts = 0  # how often a file was truncated or replaced
        self._sources: dict[Path, _Source] = {}
        self._builder = RunBuilder(str(path))
        self._info_seen: Signature | None = None
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
            for path in self._files():
                if path not in self._sources:
                    self._sources[path] = _Source(Tail(path), _rank_of(path), self._builder)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        failures = [self._info_failure]
        for source in list(self._sources.values()):
            try:
                restarted, chunks = source.tail.poll()
                if restarted:
                    self.restarts += source.reader is None or not source.reader.replaced
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

    def decide(self) -> bool:
        """Decide the format even of files without a whole line (a JSON document, say); return whether there were any.

        Raises:
            LogError: one is no log of a known format.
        """
        waiting = [source for source in self._sources.values() if source.head]
        for source in waiting:
            self._decide(source)
            if source.failure is not None:
                raise source.failure
        self._view = None if waiting else self._view
        return bool(waiting)

    def settle(self) -> None:
        """Take the files for complete: what is left of them is read, too.

        Raises:
            LogError: one is no log of a known format.
        """
        self.decide()
        for source in self._sources.values():
            if source.failure is not None:
                raise source.failure
            if source.reader is not None and (left := source.reader.settle()):
                source.builder.feed(left, source.rank)
                self._view = None

    def view(self) -> RunView:
        """Return what has been read so far."""
        if self._view is None:
            self._view = self._build()
        return self._view

    def _build(self) -> RunView:
        foreign = [
            understood(source.builder.view(), self.names, source.reader.split_of, source.reader.unit_of)
            for source in self._sources.values()
            if source.reader is not None and source.reader.foreign
        ]
        return joined(foreign) if foreign else self._builder.view()

    def _feed(self, source: _Source, chunk: bytes) -> None:
        if source.failure is not None:
            return
        if source.reader is None:
            source.head += chunk
            if b"\n" in source.head or len(source.head) >= HEAD:
                self._decide(source, patient=len(source.head) < HEAD)
            return
        try:
            for portion in source.reader.portions(chunk):
                source.builder.feed(portion, source.rank)
        except LogError as error:
            source.failure = LogError(f"{source.tail.path}: {error.message}", error.hint)

    def _decide(self, source: _Source, *, patient: bool = False) -> None:
        """Choose the reader by what has come so far, and give it that; a `patient` choice waits until one is sure."""
        head, source.head = source.head, b""
        try:
            found = _reader_for(head, source.tail.path, self._below(source.tail.path), self.names, patient)
        except LogError as error:
            source.failure = error
            return
        if found is None:
            source.head = head
            return
        source.reader = found
        if source.reader.foreign:
            source.builder = RunBuilder(str(self.path), source.reader.name)
        self._feed(source, head)

    def _below(self, path: Path) -> str:
        """Return the path of a file below the run's folder."""
        return path.relative_to(self.path).as_posix() if path != self.path else path.name

    def _start_over(self) -> None:
        for source in self._sources.values():
            source.tail.close()
        self._sources = {}
        self._builder = RunBuilder(str(self.path))
        self._info_seen = self._info_failure = self._view = None

    def _files(self) -> list[Path]:
        """Return the files that the run consists of, as far as they are there."""
        if not self.path.is_dir():
            return [self.path] if self.path.exists() else []
        if own := sorted(self.path.glob(EVENTS)):
            return own
        return [] if (self.path / INFO).exists() else foreign_files(self.path)

    def _poll_info(self) -> bool:
        """Read ``run.json`` where it is new; one that can't be parsed, be it half written, is kept as a failure."""
        if not self.path.is_dir() and not self.path.match(EVENTS):
            self._info_seen = None  # the folder may have been deleted
            return False  # a foreign log's neighbours are not ours
        path = (self.path if self.path.is_dir() else self.path.parent) / INFO
        try:
            signature = signature_of(path.stat())
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


def foreign_files(folder: Path) -> list[Path]:
    """Return the files of a folder that the readers' patterns name, numbers in names in order of size.

    Those that stand beside them come last, in order of their own names: those of event files say when they began.
    """
    readers: tuple[type[Reader], ...] = plugins.load("trainhealth.readers")
    found, beside = set[Path](), set[Path]()
    for reader in readers:
        if of_reader := _matching(folder, reader.files):
            found |= of_reader
            beside |= _matching(folder, reader.beside)
    return [*sorted(found, key=natural_order), *sorted(beside - found, key=lambda path: natural_order(Path(path.name)))]


def _matching(folder: Path, patterns: Iterable[str]) -> set[Path]:
    return {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}


def natural_order(path: Path) -> list[tuple[int, int, str]]:
    """Return a key by which checkpoint-500 comes before checkpoint-1000."""
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _reader_for(head: bytes, path: Path, below: str, names: Names, patient: bool) -> Reader | None:
    """Return the reader that is surest of the file; None where a `patient` choice needs more than, say, a comment.

    Raises:
        LogError: none recognises it.
    """
    head = head[:SNIFFED]
    surest: type[Reader] = TrainHealthReader
    if (sureness := surest.sniff(head, path.name)) >= 1.0:  # our own knows its log: the others need not be imported
        return surest(names, below)
    readers: tuple[type[Reader], ...] = plugins.load("trainhealth.readers")
    for reader in readers:
        if (likely := reader.sniff(head, path.name)) > sureness:
            surest, sureness = reader, likely
        if sureness >= 1.0:  # the others need not parse the head
            break
    if sureness <= 0.0:
        formats = ", ".join(sorted(reader.name for reader in readers))
        raise LogError(f"{path}: not a log of a known format (begins with {head[:40]!r})", f"Known formats: {formats}.")
    return None if patient and sureness < SURE else surest(names, below)


def _unreadable(path: Path, error: OSError) -> LogError:
    return LogError(f"{path}: {error.strerror or error}", "Check that the file is there and that you may read it.")
