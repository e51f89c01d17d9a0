"""What the file system tells about a folder of runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchdog.events import FileSystemEvent

from trainhealth.tui import runs_waking
from trainhealth.tui.runs_waking import Waking

PATIENCE = 20.0  # seconds; news come within a hundredth of one


class Noting(Waking):
    """Notes the kinds of what it is told."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.told: list[str] = []
        super().__init__(wake)

    def on_any_event(self, event: FileSystemEvent) -> None:
        self.told.append(event.event_type)
        super().on_any_event(event)


class Listener:
    """A waking, and whether it was woken."""

    def __init__(self) -> None:
        self.woken = threading.Event()
        self.waking = Noting(self.woken.set)

    def hears(self) -> bool:
        heard = self.woken.wait(PATIENCE)
        self.woken.clear()
        return heard


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.waking.stop()


def test_a_run_that_comes_is_closed_or_goes_is_told(listener: Listener, tmp_path: Path) -> None:
    """A line that is written is not: there may be hundreds a second."""
    listener.waking.listen([tmp_path])
    log = (tmp_path / "log.csv").open("wb", buffering=0)
    assert listener.hears()
    log.write(b"1,2\n")
    log.close()
    assert listener.hears()
    (tmp_path / "log.csv").unlink()
    assert listener.hears()
    assert listener.waking.told == ["created", "closed", "deleted"]


def test_folders_that_are_gone_or_too_many_are_left_out(
    listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking does for them; the others are listened to."""
    monkeypatch.setattr(runs_waking, "MOST", 2)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    listener.waking.listen([tmp_path / "gone", tmp_path / "a", tmp_path / "b"])
    (tmp_path / "a" / "run").mkdir()
    assert listener.hears()
    listener.waking.listen([tmp_path / "b"])
    (tmp_path / "b" / "run").mkdir()
    assert listener.hears()
