"""Paths with ``://``: logs on another file system (``s3://``, ``gs://``, …), brought here through fsspec."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from trainhealth import plugins
from trainhealth.cli.many import Place
from trainhealth.errors import LogError, TrainHealthError, UsageError
from trainhealth.readers.base import Reader
from trainhealth.runs import SUFFIXES, runs_of
from trainhealth.tail import WRITE_AHEAD

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


def is_remote(path: str) -> bool:
    """Tell whether a path is an address that fsspec understands."""
    return "://" in path


def runs_brought(url: str, stack: ExitStack) -> list[Place]:
    """Bring the logs that `url` means into a folder that lasts as long as `stack`.

    Returns:
        The runs in the folder, as `runs_of` finds them, each called by its address.

    Raises:
        UsageError: fsspec, or its package for this file system, is not installed.
        LogError: the address can't be read, or there is no run.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        hint = "Install it: pip install 'trainhealth[remote]'"
        raise UsageError(f"{url} needs the package fsspec ({error})", hint) from error
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="trainhealth-")))
    try:
        system, path = url_to_fs(url)
        if not glob.has_magic(path) or system.exists(path):
            return list(_brought(system, path, url, folder))
        places = sorted(system.glob(path))
        if not places:
            raise LogError(f"{url}: nothing matches this pattern", "Put it in quotes, and look at what is there.")
        return [
            run
            for number, place in enumerate(places)
            for run in _brought(system, place, system.unstrip_protocol(place), folder / str(number))
        ]
    except TrainHealthError:
        raise
    except ImportError as error:
        raise UsageError(f"{url}: {error}", "Install the package that fsspec needs for this file system.") from error
    except Exception as error:  # each file system has errors of its own
        fact = f"{url}: can't be read ({type(error).__name__}: {error})"
        raise LogError(fact, "Check the address, and that you may read what is there.") from error


def _brought(system: AbstractFileSystem, place: str, url: str, folder: Path) -> Iterator[Place]:
    place, url = place.rstrip("/"), url.rstrip("/")
    here = folder / (PurePosixPath(place).name or "run")
    if system.isfile(place):
        files = {place: here}
        if system.isfile(log := f"{place}{WRITE_AHEAD}"):
            files[log] = here.with_name(f"{here.name}{WRITE_AHEAD}")
    elif system.isdir(place):
        below = {file: [part for part in file[len(place) :].split("/") if part] for file in system.find(place)}
        files = {file: here.joinpath(*parts) for file, parts in below.items() if _may_be_a_log(parts)}
    else:
        raise LogError(f"{url}: there is no such file or folder", "Check the address.")
    if not files:
        raise LogError(f"{url}: there is no run here, nor in the folders below", "Name the folder that holds logs.")
    for target in files.values():
        target.parent.mkdir(parents=True, exist_ok=True)
    system.get(list(files), [str(target) for target in files.values()])
    try:
        runs = runs_of(str(here))
    except LogError as error:
        raise LogError(error.message.replace(str(here), url), error.hint) from error
    yield from (Place(run, url + run.removeprefix(str(here))) for run in runs)


def _may_be_a_log(parts: list[str]) -> bool:
    """Tell by its name whether a file is worth bringing: weights, pictures and what is hidden are not."""
    name = parts[-1].removesuffix(WRITE_AHEAD)
    if any(part.startswith(".") for part in parts):  # also "..", which would lead out of the folder
        return False
    if PurePosixPath(name).suffix.lower() in SUFFIXES or "tfevents" in name:
        return True
    readers: tuple[type[Reader], ...] = plugins.load("trainhealth.readers")
    return any(PurePosixPath(*parts).match(pattern) for reader in readers for pattern in reader.files)
