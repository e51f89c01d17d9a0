"""The wake-up for a folder of runs: the file system tells when a run has come, was closed, or is gone.

It does not tell of every line that is written: beside a job of 100 steps a second that alone would take 2.5 % of a
core. Files that grow are found by asking (`RunsReading`), which also does for file systems that tell nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import ObservedWatch

MOST = 16  # folders that are listened to: each takes a thread

_NEWS: list[type[FileSystemEvent]] = [
    *(DirCreatedEvent, DirDeletedEvent, DirMovedEvent),
    *(FileCreatedEvent, FileDeletedEvent, FileMovedEvent, FileClosedEvent),
]


class Waking(FileSystemEventHandler):
    """Calls `wake`, from a thread of its own, when something happens in the folders that it listens to."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._observer = Observer()
        self._watches: dict[Path, ObservedWatch] = {}
        self._observer.start()

    def listen(self, folders: Iterable[Path]) -> None:
        """Listen to these folders from now on, as far as the system lets us."""
        wanted = set(list(folders)[:MOST])
        for folder in self._watches.keys() - wanted:
            with suppress(OSError, KeyError):
                self._observer.unschedule(self._watches.pop(folder))
        for folder in wanted - self._watches.keys():
            with suppress(OSError):  # it is gone, or no more can be watched: asking does for it
                self._watches[folder] = self._observer.schedule(self, str(folder), event_filter=_NEWS)

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Wake whoever reads."""
        self._wake()

    def stop(self) -> None:
        """Stop listening; nothing waits for the threads."""
        self._observer.stop()
