"""Many runs: diagnosed on the cores at hand, in the order in which they were named."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from types import TracebackType
from typing import Self

import trainhealth.diagnosis
from trainhealth.errors import LogError
from trainhealth.reports.base import Checked, Unreadable

ALONE = 4  # runs up to which one process is done before others have started
TOLD = 8  # runs from which on progress is worth a line


def check_one(path: str, names: Mapping[str, str] | None = None) -> Checked:
    """Return the diagnosis of one run, or why it can't be read."""
    try:
        return trainhealth.diagnosis.check(path, names=names)
    except LogError as error:
        return Unreadable(path, error)


def check_all(paths: Sequence[str], names: Mapping[str, str] | None = None) -> Iterator[Checked]:
    """Yield the diagnosis of every run, in order, each as soon as it and those before it are done."""
    check = partial(check_one, names=names)
    processes = min(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, len(paths)
    )
    if len(paths) <= ALONE or processes < 2:
        yield from map(check, paths)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(check, paths, chunksize=max(len(paths) // (16 * processes), 1))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class Progress:
    """A line on stderr that says how far many runs are; only in a terminal, and gone when others write."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._shown = total >= TOLD and sys.stderr.isatty()

    def __enter__(self) -> Self:
        self._draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hide()

    def hide(self) -> None:
        """Take the line away, because something is about to be written."""
        if self._shown:
            sys.stdout.flush()
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def advance(self) -> None:
        """One run more is done."""
        self._done += 1
        self._draw()

    def _draw(self) -> None:
        if self._shown:
            width = 30
            filled = width * self._done // self._total
            sys.stdout.flush()
            sys.stderr.write(f"\r[{'#' * filled}{'.' * (width - filled)}] {self._done} of {self._total} runs")
            sys.stderr.flush()
