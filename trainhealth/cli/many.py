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
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from types import TracebackType
from typing import Any, NamedTuple, Self

import trainhealth.diagnosis
from trainhealth.cli.narration import say
from trainhealth.diagnosis import Run
from trainhealth.errors import LogError, TrainHealthError
from trainhealth.reports.base import Checked, Unreadable

AHEAD = 8  # runs a process that may be done before they are asked for: reports hold whole runs
ALONE = 4  # runs up to which one process is done before others have started
TOLD = 8  # runs from which on progress is worth a line


class Place(NamedTuple):
    """Where a run lies for the process that reads it, and how people call it."""

    path: str
    name: str


def check_one(
    path: str,
    names: Mapping[str, str] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    called: str | None = None,
) -> Checked:
    """Return the diagnosis of one run, or why it can't be read; `names` and `options` as in `trainhealth.check`.

    A reader that fails is a defect, and must not hide what the other runs have: it is told like a log that can't be
    read. Where the run is `called` something else than its path, that is what the report says.
    """
    name = path if called is None else called
    try:
        run = trainhealth.diagnosis.load(path, names=names)
        if name != path:
            run = Run(name, replace(run.view, path=name))
        return trainhealth.diagnosis.check(run, options=options)
    except LogError as error:
        return Unreadable(name, LogError(error.message.replace(path, name), error.hint.replace(path, name)))
    except TrainHealthError:
        raise  # of the project's settings, which hold for all runs
    except Exception as error:  # noqa: BLE001  # see the docstring
        fact = f"{name}: trainhealth failed on it ({type(error).__name__}: {error})"
        return Unreadable(name, LogError(fact, f"Please report it, with what trainhealth info {name} says."))


def check_place(
    place: Place, names: Mapping[str, str] | None = None, options: Mapping[str, Mapping[str, Any]] | None = None
) -> Checked:
    """Return the diagnosis of one run, under its name."""
    return check_one(place.path, names, options, called=place.name)


def check_all(places: Sequence[Place], names: Mapping[str, str] | None = None) -> Iterator[Checked]:
    """Yield the diagnosis of every run, in order, each as soon as it and those before it are done."""
    check = partial(check_place, names=names)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processes = min(cores, len(places))
    if len(places) <= ALONE or processes < 2:
        yield from map(check, places)
        return
    done = 0
    try:
        for one in _spread(check, places, processes):
            yield one
            done += 1
    except BrokenProcessPool:  # a process was killed, or can't import the main program (python - <script.py)
        say("note: a process ended before its time; the runs that are left are diagnosed one by one")
        yield from map(check, places[done:])


def _spread(check: Callable[[Place], Checked], places: Sequence[Place], processes: int) -> Iterator[Checked]:
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[Checked]] = deque()
        try:
            for place in places:
                with _interrupts_for_us_alone():
                    waiting.append(pool.submit(check, place))
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
