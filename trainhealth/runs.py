"""Which runs a path means: one, the many in a folder, or those that a pattern matches."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from trainhealth import plugins
from trainhealth.errors import LogError
from trainhealth.following import EVENTS, INFO, SNIFFED, SURE, foreign_files, natural_order
from trainhealth.readers.base import DEFAULT_NAMES, Reader
from trainhealth.records import EpochRecord, EvaluationRecord

DEPTH = 8  # folders below the one that is named: outputs/<date>/<time>/lightning_logs/version_0 has four
SUFFIXES = frozenset(
    (".csv", ".tsv", ".tab", ".log", ".txt", ".out", ".err", ".json", ".jsonl", ".wandb", ".db", ".sqlite", ".sqlite3")
)
KEPT = "trainhealth-"  # so begin the tables that the dashboard keeps of a run: they are no run of their own


class Found(NamedTuple):
    """What there is below a path: the runs, and the files that are called like logs and do not begin like one."""

    runs: list[str]
    passed_over: list[str]


def runs_of(path: str) -> list[str]:
    """Return the runs that `path` means, as `find_runs` does."""
    return find_runs(path).runs


def find_runs(path: str) -> Found:
    """Return the runs that `path` means, in order of their names, and what was passed over.

    A run folder or a file is one; another folder means the runs and logs below it, a pattern (``runs/*``) what it
    matches. What does not exist is returned as it is: whoever opens it says what is wrong.

    Raises:
        LogError: the folder, or what the pattern matches, holds no run.
    """
    if not glob.has_magic(path) or os.path.lexists(path):
        matches = [path]
    else:
        matches = sorted(glob.glob(path, recursive=True), key=lambda match: natural_order(Path(match)))
        if not matches:
            raise LogError(f"{path}: nothing matches this pattern", "Put it in quotes, and look at what is there.")
    passed_over: list[str] = []
    found: dict[Path, str] = {}  # in order; "runs/**" matches folders, the runs in them, and these runs' files
    for match in matches:
        if not any(parent in found for parent in Path(match).parents):
            found |= {Path(run): run for run in _below(Path(match), match, passed_over)}
    if not found:
        raise LogError(f"{path}: there is no run here, nor in the folders below", "Name the folder that holds logs.")
    return Found(list(found.values()), passed_over)


def is_run(folder: Path) -> bool:
    """Tell whether a folder is a run: one of ours, or one whose files a reader's patterns name."""
    return any(chain(folder.glob(INFO), folder.glob(EVENTS))) or bool(foreign_files(folder))


def _below(path: Path, written: str, passed_over: list[str]) -> Iterator[str]:
    try:
        single = not path.is_dir() or is_run(path)
    except OSError:  # it may not be looked at: whoever opens it says so
        single = True
    if single:
        yield written
    else:
        yield from (str(run) for run in _search(path, DEPTH, passed_over))


def _search(folder: Path, depth: int, passed_over: list[str]) -> Iterator[Path]:
    """Yield the runs and single logs below a folder; hidden ones, and what a link leads to, are left out.

    A folder that may not be read is yielded as well, so that its reader says so: there may be runs in it.
    """
    try:
        visible = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
        entries = sorted(visible, key=natural_order)
        below = [(entry, entry.is_dir()) for entry in entries if not entry.is_symlink()]
    except OSError:
        yield folder
        return
    for entry, is_folder in below:
        if not is_folder:
            if _may_be_log(entry):
                if _is_log(entry):
                    yield entry
                elif entry.suffix:  # of those without, few are meant to be logs
                    passed_over.append(str(entry))
        elif is_run(entry):
            yield entry
        elif depth:
            yield from _search(entry, depth - 1, passed_over)


def _may_be_log(file: Path) -> bool:
    if file.name.startswith(KEPT) and file.suffix == ".csv":
        return False
    return file.suffix.lower() in SUFFIXES or "tfevents" in file.name or not file.suffix


def _is_log(file: Path) -> bool:
    """Tell whether a file that nobody has named is a log, by what it begins with."""
    readers: tuple[type[Reader], ...] = plugins.load("trainhealth.readers")
    try:
        if not file.is_file():
            return False  # a named pipe would be waited for
        with file.open("rb") as opened:
            head = opened.read(SNIFFED)
    except OSError:
        return bool(file.suffix)  # it is opened again by whoever reads it, who says what is wrong
    surest = max(readers, key=lambda reader: reader.sniff(head, file.name))
    if surest.sniff(head, file.name) < SURE:
        return False
    return file.suffix.lower() != ".json" or len(head) == SNIFFED or _holds_scores(surest, head)


def _holds_scores(reader: type[Reader], content: bytes) -> bool:
    """Tell a log from the settings that stand beside runs as JSON, too: it has a loss or an accuracy."""
    reading = reader()
    try:
        records = [*reading.feed(content), *reading.settle()]
    except LogError:
        return True  # as above
    columns = {
        name for record in records if isinstance(record, EpochRecord | EvaluationRecord) for name in record.values
    }
    # a rate, a batch size and a norm of gradients are settings as well
    return any(DEFAULT_NAMES.meaning(column).name.endswith(("_loss", "_accuracy")) for column in columns)
