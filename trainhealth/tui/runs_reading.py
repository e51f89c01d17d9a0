"""A folder of runs, read no further than somebody looks: one short turn of work after another.

All runs are listed. Those on the screen are looked at and then read in full, the others only where the order of the
table depends on it. What was read is kept until the files change.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from trainhealth import plugins
from trainhealth.config import load_config
from trainhealth.errors import LogError
from trainhealth.readers.names import Names
from trainhealth.runs import runs_of
from trainhealth.tui.budget import Budget
from trainhealth.tui.process import Alive, process_alive
from trainhealth.tui.runs_known import KnownRun, Settings
from trainhealth.tui.runs_row import Depth, RunRow, RunsSnapshot

SLICE = 0.25  # seconds of work until what has been read is shown
SHARE = 0.01  # of the time, for searching the folder, and as much for asking whether files have changed
SEARCH_EVERY, ASK_EVERY = 2.0, 1.0  # seconds, at least
NEWS_SHARE, NEWS_EVERY = 0.05, 0.2  # the same for searching where something is known to have happened
READING_SHARE = 0.02  # of one core, for reading again what has grown
READING_ALLOWANCE = 0.5  # seconds that it may take before that counts
AGES_EVERY = 5.0  # seconds after which a snapshot is new by its time alone


@dataclass(frozen=True)
class Wish:
    """What the screen shows of the runs, by their paths, the most important ones first."""

    visible: tuple[str, ...] = ()
    held: tuple[str, ...] = ()  # whose curves are wanted
    everywhere: Depth = Depth.LISTED  # how far the order of the table wants all runs to be read


class RunsReading:
    """Reads the runs below `folder`; `clock` is monotonic, `wall` counts from 1970 like the records' times.

    `names` maps signals to the columns of foreign logs; by default as the project has set it.
    """

    def __init__(
        self,
        folder: Path,
        names: Mapping[str, str] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        alive: Alive = process_alive,
    ) -> None:
        self.folder = folder
        self.wish = Wish()  # set by whoever shows the runs, from another thread
        self.busy = True  # whether the next turn has work that somebody waits for
        self._clock, self._wall = clock, wall
        config = load_config()
        self._settings = Settings(config.rules, config.names if names is None else Names(names), wall, alive)
        self._known: dict[str, KnownRun] = {}
        self._search_at = self._search_on_news_at = self._ask_at = clock()
        self._news = 0  # searches that something has called for
        self._budget = Budget(READING_SHARE, READING_ALLOWANCE, clock())
        self._problem = ""
        self._newest = RunsSnapshot(str(folder))

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders in which runs come and go: the one that is shown, and those that hold runs."""
        return tuple(dict.fromkeys((self.folder, *(Path(path).parent for path in self._known))))

    def search_soon(self) -> None:
        """Search the folder: something was made, closed or removed there."""
        self._news = 2  # a run's folder is made before its files
        self._ask_at = self._clock()

    def turn(self) -> RunsSnapshot | None:
        """Work for a moment; return a snapshot if it differs from the last one, else None. Never raises."""
        begin = self._clock()
        searches = begin >= self._search_at or (self._news and begin >= self._search_on_news_at)
        if searches:
            self._search()
        if searches or begin >= self._ask_at:
            self._ask()
        self.busy = False
        for run, depth in self._work():
            self._read(run, depth)
            if self._clock() - begin >= SLICE:
                self.busy = True
                break
        for path, run in self._known.items():
            if run.opened is not None and path not in self.wish.held:
                run.let_go()
        return self._snapshot()

    def _search(self) -> None:
        plugins.load("trainhealth.readers")  # the first time it takes longer than the search
        now = self._clock()
        try:
            paths, self._problem = runs_of(str(self.folder)), ""
        except LogError as error:
            paths, self._problem = [], error.message
        self._known = {path: self._known.get(path) or self._meet(path) for path in paths}
        for run in self._known.values():
            run.list_files()
        self._news = max(self._news - 1, 0)
        self._search_at = self._next(now, SEARCH_EVERY, SHARE)
        self._search_on_news_at = self._next(now, NEWS_EVERY, NEWS_SHARE)

    def _meet(self, path: str) -> KnownRun:
        below = Path(path).relative_to(self.folder) if Path(path).is_relative_to(self.folder) else Path(path)
        return KnownRun(RunRow(path, str(below) if below.name else Path(path).name), self._settings)

    def _ask(self) -> None:
        now = self._clock()
        for run in self._known.values():
            run.ask()
        self._ask_at = self._next(now, ASK_EVERY, SHARE)

    def _next(self, begin: float, least: float, share: float) -> float:
        """Return when to do again what has begun at `begin` and ends now: a slow disk is asked less often."""
        end = self._clock()
        return end + max(least, (end - begin) / share)

    def _work(self) -> Iterator[tuple[KnownRun, Depth]]:
        """Yield what is to be read, the most pressing first."""
        shown, held = self._runs(self.wish.visible), self._runs(self.wish.held)
        everything = list(self._known.values())
        wanted = [(Depth.GLANCED, [*held, *shown]), (Depth.READ, held), (Depth.READ, shown)]
        wanted += [(depth, everything) for depth in (Depth.GLANCED, Depth.READ) if depth <= self.wish.everywhere]
        for depth, runs in wanted:
            for run in runs:
                needed = run.needed(depth)
                if (run.lacks(needed) and self._may_read(run, needed)) or (runs is held and run.opened is None):
                    yield run, needed

    def _runs(self, paths: tuple[str, ...]) -> list[KnownRun]:
        return [self._known[path] for path in paths if path in self._known]

    def _may_read(self, run: KnownRun, depth: Depth) -> bool:
        """Tell whether a run may be read: the first time always, again only where that has been earned."""
        if depth is Depth.GLANCED or not run.was_read(depth):
            return True
        now = self._clock()
        return now >= run.read_again_at and self._budget.affords(now)

    def _read(self, run: KnownRun, depth: Depth) -> None:
        again = run.was_read(depth)
        begin = time.thread_time()
        run.read(depth, hold=run.row.path in self.wish.held)
        if depth is Depth.READ:
            spent, now = time.thread_time() - begin, self._clock()
            run.read_again_at = now + spent / READING_SHARE
            if again:
                self._budget.spend(spent, now)

    def _snapshot(self) -> RunsSnapshot | None:
        opened = {path: run.opened for path, run in self._known.items() if run.opened is not None}
        rows = tuple(run.row for run in self._known.values())
        snapshot = RunsSnapshot(str(self.folder), rows, opened, self._wall(), listed=True, problem=self._problem)
        if snapshot.shows_the_same_as(self._newest) and snapshot.time < self._newest.time + AGES_EVERY:
            return None
        self._newest = snapshot
        return snapshot
