"""The writer: lines reach the file at once, or within a second where writing is slow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trainhealth.hooks import writer as module
from trainhealth.hooks.writer import Writer
from trainhealth.records import encode_step


def test_a_line_is_in_the_file_when_write_returns(tmp_path: Path) -> None:
    """Nothing waits in a buffer."""
    writer = Writer(tmp_path / "events")
    writer.write(b"one\n")
    assert (tmp_path / "events").read_bytes() == b"one\n"
    writer.write(b"two\n")
    assert (tmp_path / "events").read_bytes() == b"one\ntwo\n"
    writer.close()


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that takes only a part of the line is followed by one for the rest."""
    real = os.write
    monkeypatch.setattr(module.os, "write", lambda fd, data: real(fd, bytes(data)[:3]))
    writer = Writer(tmp_path / "events")
    writer.write(b"0123456789\n")
    writer.close()
    assert (tmp_path / "events").read_bytes() == b"0123456789\n"


def test_slow_writes_are_gathered_and_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a write costs too much, lines are gathered; a flush and the end of the file bring them all, in order."""
    clock = iter(range(10_000))
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(clock)))  # every write takes a second
    monkeypatch.setattr(module.threading.Thread, "start", lambda thread: None)  # the test flushes
    writer = Writer(tmp_path / "events")
    writer.limit = 0.1
    written = b""
    while not writer.gathering:
        writer.write(b"at once\n")
        written += b"at once\n"
    for number in range(3):
        writer.write(b"%d\n" % number)
    writer.write_step(3, 1.0, 0.5)
    assert (tmp_path / "events").read_bytes() == written
    writer.flush()
    step = encode_step(3, 1.0, 0.5)
    assert (tmp_path / "events").read_bytes() == written + b"0\n1\n2\n" + step
    writer.write(b"4\n")
    writer.close()
    assert (tmp_path / "events").read_bytes().endswith(step + b"4\n")


def test_one_slow_write_is_no_slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write during which another process had the core does not make later ones wait."""
    times = iter([0.0, 1.0] + [2.0] * 1000)  # the first timed write takes a second, all others nothing
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(times))
    writer = Writer(tmp_path / "events")
    writer.limit = 0.1
    for _ in range(200):
        writer.write(b"line\n")
    assert not writer.gathering
    writer.close()


def test_a_failed_write_closes_the_file_and_keeps_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an error of the system nothing more is tried."""
    writer = Writer(tmp_path / "events")

    def fail(fd: int, data: bytes) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(module.os, "write", fail)
    writer.write(b"lost\n")
    assert not writer.open
    assert writer.failure is not None
    assert writer.failure.strerror == "Input/output error"
    writer.write(b"never\n")
    writer.close()
