"""An earlier wake-up than the next poll, where the file system can give one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def watch_folder(path: Path, changed: Callable[[], None]) -> Callable[[], None]:
    """Call `changed` (from another thread) when something in the run's folder changes; return how to stop that.

    Network file systems and containers' mounts send nothing, and a machine may have run out of watches: polling goes
    on regardless, so a failure here is none.
    """
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    class _Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type in ("created", "modified", "moved", "deleted"):
                changed()

    folder = path if path.is_dir() else path.parent
    observer = Observer()
    try:
        observer.schedule(_Handler(), str(folder))
        observer.daemon = True
        observer.start()
    except OSError:
        return lambda: None
    return observer.stop
