"""How far a checkup is, and how long it may still take: on stderr, and only in a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn
from rich.progress import Progress as RichProgress
from rich.text import Text


class Progress:
    """A bar with the check that runs and the time left, which is gone when the checkup has ended."""

    def __init__(self, total: float, *, shown: bool) -> None:
        columns = (TextColumn("checkup: {task.description}"), BarColumn(30), TimeLeft())
        self._bar = RichProgress(
            *columns,
            console=Console(file=sys.stderr),
            transient=True,
            disable=not (shown and sys.stderr.isatty()),
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("begins", total=total, end=None)
        self._done = self._running = 0.0

    def begin(self, title: str, share: float, seconds: float) -> None:
        """The check `title` begins; the one before is done. At most `seconds` are left for it and those after it."""
        self._done += self._running
        self._running = share
        self._bar.update(self._task, completed=self._done, description=title, end=time.monotonic() + seconds)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


class TimeLeft(ProgressColumn):
    """The seconds left until the field `end` of a task, on the clock of time.monotonic; nothing before it is known."""

    def render(self, task: Task) -> Text:
        """Return it as of now: a check may take most of a minute, and the time goes on while it does."""
        end = task.fields["end"]
        return Text("" if end is None else f"at most {max(end - time.monotonic(), 1.0):.0f} s left")
