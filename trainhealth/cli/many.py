"""Many runs: diagnosed on the cores at hand, in the order in which they were named."""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from types import TracebackType
from typing import Self

import trainhealth.diagnosis
from trainhealth.cli.narration import say
from trainhealth.errors import LogError, TrainHealthError
from trainhealth.reports.base import Checked, Unreadable

AHEAD = 8  # runs a process that may be done before they are asked for: reports hold whole runs
ALONE = 4  # runs up to which one process is done before others have started
TOLD = 8  # runs from which on progress is worth a line


def check_one(path: str, names: Mapping[str, str] | None = None) -> Checked:
    """Return the diagnosis of one run, or why it can't be read.

    A reader that fails is a defect, and must not hide what the other runs have: it is told like a log that can't be
    read.
    """
    try:
        return trainhealth.diagnosis.check(path, names=names)
    except LogError as error:
        return Unreadable(path, error)
    except TrainHealthError:
        raise  # of the project's settings, which hold for all runs
    except Exception as error:  # noqa: BLE001  # see the docstring
        fact = f"{path}: trainhealth failed on it ({type(error).__name__}: {error})"
        return Unreadable(path, LogError(fact, f"Please report it, with what trainhealth info {path} says."))


def check_all(paths: Sequence[str], names: Mapping[str, str] | None = None) -> Iterator[Checked]:
    """Yield the diagnosis of every run, in order, each as soon as it and those before it are done."""
    check = partial(check_one, names=names)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processes = min(cores, len(paths))
    if len(paths) <= ALONE or processes < 2:
        yield from map(check, paths)
        return
    done = 0
    try:
        for one in _spread(check, paths, processes):
            yield one
            done += 1
    except BrokenProcessPool:  # a process was killed, or can't import the main program (python - <script.py)
        say("note: a process ended before its time; the runs that are left are diagnosed one by one")
        yield from map(check, paths[done:])


def _spread(check: Callable[[str], Checked], paths: Sequence[str], processes: int) -> Iterator[Checked]:
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[Checked]] = deque()
        try:
            for path in paths:
                with _interrupts_for_us_alone():
                    waiting.append(pool.submit(check, path))
                if len(waiting) > AHEAD * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # after Ctrl-C, a closed pipe or an error: what has not begun need not
            for future in waiting:
                future.cancel()


@contextmanager
def _interrupts_for_us_alone() -> Iterator[None]:
    """Start processes that Ctrl-C, which goes to every process of a terminal, does not reach; ours waits meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # new processes inherit it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
