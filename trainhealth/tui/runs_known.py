"""One run of the folder that the table shows: asks whether its files have changed, and reads them as far as asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainhealth.errors import LogError
from trainhealth.findings import Diagnosis
from trainhealth.following import EVENTS, INFO, Follower, foreign_files
from trainhealth.readers.names import Names
from trainhealth.rules.engine import all_rules, diagnose
from trainhealth.series import RunView, Series
from trainhealth.tail import WRITE_AHEAD, Signature, signature_of
from trainhealth.tui.failures import failure_text, record_failure
from trainhealth.tui.process import Alive, Writer
from trainhealth.tui.runs_glance import glance
from trainhealth.tui.runs_row import Depth, Opened, RunRow, best_result, last_epoch, recent_loss
from trainhealth.tui.snapshot import Condition, State, condition_of

_ENDING = 2000  # times of steps that are kept of a run: what its usual pace is


@dataclass(frozen=True)
class Settings:
    """What holds for all runs of a table."""

    rules: Mapping[str, Mapping[str, Any]]
    names: Names
    wall: Callable[[], float]  # counts from 1970 like the records' times
    alive: Alive  # whether a process of this machine has a number since a time


class KnownRun:
    """A run, and what has been read of it."""

    def __init__(self, row: RunRow, settings: Settings) -> None:
        self.row = row
        self.opened: Opened | None = None  # while it is held
        self.read_again_at = 0.0  # by the clock of whoever reads
        self._settings = settings
        self._files: tuple[Path, ...] = ()
        self._signature: tuple[Signature, ...] = ()
        self._of_depth: dict[Depth, tuple[Signature, ...]] = {}  # the files that were read so far
        self._ending: RunView | None = None  # the run without its curves
        self._changed_at: float | None = None  # when it was seen to change, by the wall clock
        self._writer = Writer(settings.alive)
        self._follower: Follower | None = None

    def list_files(self) -> None:
        """Look which files the run consists of."""
        path = Path(self.row.path)
        try:
            self._files = _files(path)
        except OSError:
            self._files = (path,)

    def ask(self) -> None:
        """Look whether the files have changed, and how the run is doing by now."""
        signature = tuple(_signatures(self._files))
        if signature != self._signature:
            if self._signature:
                self._changed_at = self._settings.wall()
            self._signature = signature
            self._set(written=max((entry[3] for entry in signature), default=0) / 1e9)
        if self.row.condition.state in (State.LIVE, State.STALLED, State.QUIET):  # these change with time
            self._judge()

    @property
    def _own(self) -> bool:
        """Whether it is a run folder of ours."""
        return bool(self._files) and self._files[0].match(EVENTS)

    def needed(self, depth: Depth) -> Depth:
        """Return how far it has to be read to be known that far: a log of another tool has no telling end."""
        return depth if self._own else Depth.READ

    def lacks(self, depth: Depth) -> bool:
        """Tell whether it was not read that far yet, or has changed since."""
        return self._of_depth.get(depth) != self._signature

    def was_read(self, depth: Depth) -> bool:
        """Tell whether it was read that far, be it before it changed."""
        return depth in self._of_depth

    def read(self, depth: Depth, *, hold: bool = False) -> None:
        """Read the run that far; `hold` keeps its curves. Never raises: what goes wrong becomes its condition."""
        self._of_depth[depth] = self._signature
        try:
            if depth is Depth.READ:
                self._of_depth[Depth.GLANCED] = self._signature
                self._read_in_full(hold)
            else:
                self._look_at_the_end()
        except LogError as error:
            self._fail(Condition(State.UNREADABLE, error.message, error.hint))
        except OSError as error:
            text = f"{error.filename or self.row.path}: {error.strerror or error}"
            self._fail(Condition(State.UNREADABLE, text))
        except Exception as error:  # noqa: BLE001  # one run that can't be read must not hide the others
            self._fail(Condition(State.BROKEN, failure_text(error, record_failure(error))))

    def let_go(self) -> None:
        """Forget the curves."""
        self.opened = self._follower = None

    def _look_at_the_end(self) -> None:
        seen = glance(self._files[0])
        self._ending = seen.view
        depth = max(self.row.depth, Depth.GLANCED)
        self._set(depth=depth, step=seen.step, epoch=seen.epoch, loss=seen.loss, info=seen.view.info)
        self._judge()

    def _read_in_full(self, hold: bool) -> None:
        follower = self._follower or Follower(self.row.path, self._settings.names)
        follower.poll()
        if not self._own:
            follower.settle()  # such a file may have no end of its last line
        view = follower.view()
        diagnosis = diagnose(view, self._settings.rules)
        self._ending = _without_curves(view)
        self._set(
            depth=Depth.READ,
            step=view.last_step,
            epoch=last_epoch(view),
            loss=recent_loss(view.series("train_loss").values, view.last_step + 1),
            best=best_result(view),
            info=view.info,
            findings=diagnosis.findings,
            judged=len(diagnosis.not_checked) < len(all_rules()),
        )
        self._judge()
        if hold:
            self.opened, self._follower = Opened(view, diagnosis), follower if self._own else None

    def _judge(self) -> None:
        assert self._ending is not None  # the callers have read the run
        now = self._settings.wall()
        since = self._changed_at or self._ending.last_time or self.row.written
        quiet, alive = max(now - since, 0.0), self._writer.is_there(self._ending)
        self._set(condition=condition_of(self._ending, quiet, alive, grown=self._changed_at is not None))

    def _fail(self, condition: Condition) -> None:
        self._set(condition=condition)
        self._follower, self.opened = None, Opened(RunView(path=self.row.path), Diagnosis())

    def _set(self, **fields: Any) -> None:
        """Change the row where anything differs: a row that stays the same object looks the same."""
        if any(getattr(self.row, name) != value for name, value in fields.items()):
            self.row = dataclasses.replace(self.row, **fields)


def _without_curves(view: RunView) -> RunView:
    times = Series("time", view.times.steps[-_ENDING:].copy(), view.times.values[-_ENDING:].copy())
    return RunView(
        path=view.path, info=view.info, times=times, ended=view.ended, error=view.error, pid=view.pid, host=view.host,
        last_time=view.last_time, format=view.format,
    )  # fmt: skip


def _files(path: Path) -> tuple[Path, ...]:
    """Return the files of a run; of our own the log of the lowest rank first."""
    if not path.is_dir():
        return path, Path(f"{path}{WRITE_AHEAD}")  # where it is a database it has one
    info = path / INFO
    return (*sorted(path.glob(EVENTS)), info) if info.exists() or any(path.glob(EVENTS)) else tuple(foreign_files(path))


def _signatures(files: tuple[Path, ...]) -> Iterator[Signature]:
    for file in files:
        try:
            yield signature_of(file.stat())
        except OSError:
            yield 0, 0, 0, 0
