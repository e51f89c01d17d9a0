"""One turn after another: read what is new in the log, diagnose it when that has been earned, make a snapshot."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from trainhealth.config import load_config
from trainhealth.errors import LogError
from trainhealth.following import EVENTS, Follower, foreign_files
from trainhealth.readers.names import Names
from trainhealth.series import RunView
from trainhealth.tui.budget import Budget
from trainhealth.tui.failures import failure_text, record_failure
from trainhealth.tui.process import Alive, Writer, process_alive
from trainhealth.tui.snapshot import OWN_FORMAT, Condition, Snapshot, State, condition_of

RULES_SHARE = 0.02  # of one core, for the rules
RULES_ALLOWANCE = 0.5  # seconds that the rules may take before that counts
UNDECIDED = 0.5  # seconds after which a file without a whole line is taken for what its beginning looks like
RETRY = 2.0  # seconds until a log that could not be read is tried again


class Reading:
    """Follows the log at `path`; `clock` is monotonic, `wall` counts from 1970 like the records' times.

    `names` maps signals to the columns of a foreign log; by default as the project has set it.
    """

    def __init__(
        self,
        path: Path,
        names: Mapping[str, str] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        alive: Alive = process_alive,
    ) -> None:
        self.path = path
        self._clock, self._wall = clock, wall
        self._writer = Writer(alive)
        self._config = load_config()
        self._names = self._config.names if names is None else Names(names)
        self._follower: Follower | None = Follower(path, self._names)
        self._snapshot = Snapshot(str(path))
        self._budget = Budget(RULES_SHARE, RULES_ALLOWANCE, clock())
        self._unread = self._undiagnosed = False
        self._newest: float | None = None  # when the newest record came, by `clock`
        self._changed = clock()  # when a file was last seen to change
        self._grown = False  # whether records have come since the log was opened
        self._retry_at = 0.0
        self._recorded = ("", "")  # the failure that was written to the file last, and what the user was told

    @property
    def eager(self) -> bool:
        """Whether the next turn has work that need not wait: the first diagnosis."""
        return self._undiagnosed and not self._snapshot.diagnosed

    def settle(self) -> None:
        """Wait no longer for more of a file whose beginning is not telling."""
        self._changed = -math.inf

    def turn(self, *, may_look: bool = True) -> Snapshot | None:
        """Read what is new; return a snapshot if it differs from the last one, else None. Never raises.

        Without `may_look` new records are only read in, and shown by a later turn.
        """
        now = self._clock()
        if self._follower is None and now < self._retry_at:
            return None
        try:
            snapshot = self._turn(now, may_look)
        except LogError as error:
            snapshot = self._unreadable(now, Condition(State.UNREADABLE, error.message, error.hint))
        except OSError as error:
            text = f"{error.filename or self.path}: {error.strerror or error}"
            snapshot = self._unreadable(now, Condition(State.UNREADABLE, text))
        except Exception as error:  # noqa: BLE001  # no exception reaches the user as a traceback
            snapshot = self._unreadable(now, Condition(State.BROKEN, self._record(error)))
        if snapshot.shows_the_same_as(self._snapshot):
            return None
        self._snapshot = snapshot
        return snapshot

    def _turn(self, now: float, may_look: bool) -> Snapshot:
        if self._follower is None:
            self._follower, self._newest = Follower(self.path, self._names), None
        if self._follower.poll():
            self._unread = True
            self._grown = self._newest is not None
            self._newest = now if self._grown else None
            self._changed = now
        elif now - self._changed > UNDECIDED and self._follower.decide():
            self._unread = True
        snapshot = self._snapshot
        fresh = self._unread and may_look
        if fresh:
            snapshot = dataclasses.replace(snapshot, view=self._follower.view())
            self._unread, self._undiagnosed = False, True
        first = fresh and not snapshot.diagnosed  # the curves can be seen before the rules are imported
        if self._undiagnosed and not first and self._budget.affords(now):
            snapshot = self._diagnosed(snapshot, now)
        condition = self._condition(snapshot.view, now)
        return dataclasses.replace(snapshot, condition=condition, restarts=self._follower.restarts)

    def _diagnosed(self, snapshot: Snapshot, now: float) -> Snapshot:
        from trainhealth.rules.engine import all_rules, diagnose  # the curves are on the screen before

        begin = time.thread_time()
        diagnosis = diagnose(snapshot.view, self._config.rules)
        self._undiagnosed = False
        self._budget.spend(time.thread_time() - begin, now)
        return dataclasses.replace(snapshot, diagnosis=diagnosis, diagnosed=True, rules=len(all_rules()))

    def _condition(self, view: RunView, now: float) -> Condition:
        assert self._follower is not None  # the caller has made one
        if self._follower.waiting and view.last_step >= 0:
            what = f"the log in {self.path}" if self.path.is_dir() else str(self.path)
            return Condition(State.WAITING, f"{what} is gone", "This is what was read of it before.")
        if self._follower.waiting:
            what = f"there is no log in {self.path} yet" if self.path.is_dir() else f"{self.path} is not there yet"
            return Condition(State.WAITING, what, "It comes when the script calls watch().")
        if self._newest is None and not self._unread:
            self._newest = now - self._age(view)  # from here on our own clock counts
        quiet = now - self._newest if self._newest is not None else 0.0
        # a process that has ended may have said so in what is read and waits for its turn to be looked at
        there = None if self._unread else self._writer.is_there(view)
        return condition_of(view, quiet, there, grown=self._grown)

    def _age(self, view: RunView) -> float:
        """Return how old the newest record is: as the log's times say, or where it has none of its own, the files'."""
        newest = view.last_time
        if view.format != OWN_FORMAT:
            imported = [*self.path.glob(EVENTS)]  # of one file: none
            files = imported or (foreign_files(self.path) if self.path.is_dir() else [self.path])
            written = max((path.stat().st_mtime for path in files), default=0.0)
            newest = min(newest, written) if newest else written
        return max(self._wall() - newest, 0.0) if newest else 0.0

    def _unreadable(self, now: float, condition: Condition) -> Snapshot:
        """Keep what has been read, and begin anew in a while: a reader that has failed can't go on in the middle."""
        self._follower, self._retry_at = None, now + RETRY
        return dataclasses.replace(self._snapshot, condition=condition)

    def _record(self, error: Exception) -> str:
        """Return what to tell the user; a failure that comes again at every turn is written down once."""
        if self._recorded[0] != repr(error):
            self._recorded = (repr(error), failure_text(error, record_failure(error)))
        return self._recorded[1]
