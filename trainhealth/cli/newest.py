"""The newest run below a folder: what somebody means who names none."""

from __future__ import annotations

import os
import time
from collections import deque
from pathlib import Path

from trainhealth.following import INFO

DEPTH = 4  # folders below the one where the search begins
SECONDS = 2.0  # after which the best that was found so far counts


def find_newest_run(root: Path) -> Path | None:
    """Return the run folder below `root` (or `root` itself) that was written to last; None where there is none.

    The search goes breadth first, so that what is near is found before the time is over. Hidden folders, and those
    that a symbolic link leads to, are left out; within a run it looks for no other.
    """
    deadline = time.monotonic() + SECONDS
    newest: tuple[float, Path] | None = None
    folders = deque([(root, 0)])
    while folders and time.monotonic() < deadline:
        folder, depth = folders.popleft()
        written, below = _look(folder)
        if written is not None:
            newest = max(newest or (written, folder), (written, folder))
        elif depth < DEPTH:
            folders.extend((path, depth + 1) for path in below)
    return newest[1] if newest else None


def _look(folder: Path) -> tuple[float | None, list[Path]]:
    """Return when the run in `folder` was last written to (None: there is no run), and the folders below."""
    written: list[float] = []
    below: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name == INFO or (entry.name.startswith("events-") and entry.name.endswith(".jsonl")):
                    written.append(entry.stat().st_mtime)
                elif not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                    below.append(Path(entry.path))
    except OSError:  # a folder that may not be read, or has just gone
        pass
    return max(written, default=None), sorted(below)
