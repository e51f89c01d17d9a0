"""The time left is counted down while a check runs."""

from __future__ import annotations

import time

import pytest
from rich.progress import Progress

from trainhealth.checkups.progress import TimeLeft


@pytest.mark.parametrize(
    ("end", "shown"),
    [(None, ""), (140.0, "at most 40 s left"), (100.2, "at most 1 s left"), (90.0, "at most 1 s left")],
)
def test_time_left_is_that_of_the_moment(end: float | None, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever the bar is drawn anew; a check that overruns what it has is about to end."""
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    bar = Progress()
    bar.add_task("data", end=end)
    assert TimeLeft().render(bar.tasks[0]).plain == shown
