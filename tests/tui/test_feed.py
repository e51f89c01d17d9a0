"""The thread that follows a log."""

from __future__ import annotations

import queue
from pathlib import Path

import pytest

from trainhealth.records import EndRecord, StartRecord, StepRecord, encode
from trainhealth.tui.feed import Feed
from trainhealth.tui.reading import Reading
from trainhealth.tui.snapshot import Snapshot, State

PATIENCE = 20.0  # seconds; a snapshot comes within a fraction of one


def test_snapshots_arrive_from_a_thread_of_its_own_until_it_is_stopped(tmp_path: Path) -> None:
    """The log begins, grows and ends under the eyes of the feed, and every change arrives."""
    arrived: queue.Queue[Snapshot] = queue.Queue()
    log = tmp_path / "events-0.jsonl"
    feed = Feed(Reading(tmp_path), arrived.put)
    feed.start()
    try:
        assert arrived.get(timeout=PATIENCE).condition.state is State.WAITING
        with log.open("ab", buffering=0) as file:
            file.write(encode(StartRecord(step=0, time=1.0)))
            for step in range(20):
                file.write(encode(StepRecord(step=step, time=1.0 + step, train_loss=1.0)))
            file.write(encode(EndRecord(step=20, time=21.0)))
        newest = arrived.get(timeout=PATIENCE)
        while not (newest.condition.state is State.ENDED and newest.diagnosed and newest.view.last_step == 19):
            newest = arrived.get(timeout=PATIENCE)
    finally:
        feed.stop()
    feed.join(PATIENCE)
    assert not feed.running


def test_memory_is_given_back_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who pages through the charts takes it between two snapshots, too, and a busy machine draws late."""
    given: queue.Queue[None] = queue.Queue()
    monkeypatch.setattr("trainhealth.tui.feed.let_go", lambda: given.put(None))
    feed = Feed(Reading(tmp_path), lambda _: None)
    feed.start()
    try:
        for _ in range(2):
            given.get(timeout=PATIENCE)
    finally:
        feed.stop()
    feed.join(PATIENCE)
