"""Which runs a path means: one, the many in a folder, or those that a pattern matches."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from trainhealth import plugins
from trainhealth.errors import LogError
from trainhealth.following import EVENTS, INFO, SNIFFED, foreign_files
from trainhealth.readers.base import Reader

DEPTH = 4  # folders below the one that is named
SURE = 0.25  # of a format, from which on a file that nobody has named counts as a log
SUFFIXES = frozenset(
    (".csv", ".tsv", ".tab", ".log", ".txt", ".out", ".json", ".jsonl", ".wandb", ".db", ".sqlite", ".sqlite3")
)


def runs_of(path: str) -> list[str]:
    """Return the runs that `path` means, in order of their names.

    A run folder or a file is one; another folder means the runs and logs below it, a pattern (``runs/*``) what it
    matches. What does not exist is returned as it is: whoever opens it says what is wrong.

    Raises:
        LogError: the folder, or what the pattern matches, holds no run.
    """
    if Path(path).exists() or not glob.has_magic(path):
        matches = [path]
    else:
        matches = sorted(glob.glob(path, recursive=True))
        if not matches:
            raise LogError(f"{path}: nothing matches this pattern", "Put it in quotes, and look at what is there.")
    found = [run for match in matches for run in _below(Path(match), match)]
    if not found:
        raise LogError(f"{path}: there is no run here, nor in the folders below", "Name the folder that holds logs.")
    return found


def is_run(folder: Path) -> bool:
    """Tell whether a folder is a run: one of ours, or one whose files a reader's patterns name."""
    return any(chain(folder.glob(INFO), folder.glob(EVENTS))) or bool(foreign_files(folder))


def _below(path: Path, written: str) -> Iterator[str]:
    if not path.is_dir() or is_run(path):
        yield written
        return
    yield from (str(run) for run in _search(path, DEPTH))


def _search(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the runs and single logs below a folder; hidden ones, and what a link leads to, are left out."""
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError:  # a folder that may not be read: the others are
        return
    for entry in entries:
        if entry.is_symlink():
            continue
        if entry.is_file():
            if _is_log(entry):
                yield entry
        elif depth and entry.is_dir():
            if is_run(entry):
                yield entry
            else:
                yield from _search(entry, depth - 1)


def _is_log(file: Path) -> bool:
    """Tell whether a file that nobody has named is a log: by its suffix, and by what it begins with."""
    if file.suffix.lower() not in SUFFIXES and "tfevents" not in file.name:
        return False
    readers: tuple[type[Reader], ...] = plugins.load("trainhealth.readers")
    try:
        with file.open("rb") as opened:
            head = opened.read(SNIFFED)
    except OSError:
        return True  # it is opened again by whoever reads it, who says what is wrong
    return max(reader.sniff(head, file.name) for reader in readers) >= SURE
