"""A run that is followed while it is written: its files appear, grow, break and heal."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.same_view import assert_same_view
from trainhealth.errors import LogError
from trainhealth.following import Follower
from trainhealth.records import (
    EndRecord,
    EpochRecord,
    EventRecord,
    LayerEntry,
    LayoutRecord,
    RunInfo,
    SampleRecord,
    StartRecord,
    encode,
    encode_info,
    encode_step,
)

INFO = encode_info(RunInfo(name="baseline", hyperparameters={"batch_size": 64}))


def _log(rank: int = 0) -> bytes:
    """Return a short log with every kind of line, good and bad."""
    layout = LayoutRecord(step=0, time=0.0, layout=0, layers=[LayerEntry(name="a", type="Linear", units=4)])
    lines = [
        encode(StartRecord(step=0, time=0.0, rank=rank, world_size=2, pid=rank + 1)),
        encode_step(0, 1.0, 2.5 + rank, learning_rate=0.1, batch_size=64),
        encode(EventRecord(step=0, time=1.0, event="facts", data={"task": "classification"})),
        encode(layout),
        encode(SampleRecord(step=0, time=1.0, layout=0, layers={"activation_std": [0.5]}, dead_units=["3"])),
        b"\xff\xfe junk\n",
        encode_step(1, 2.0, 2.25 + rank, 0.5),
        encode_step(2, 3.0, float("nan")),
        encode(SampleRecord(step=2, time=3.0, layout=0, layers={"activation_std": [0.25]})),
        encode(EpochRecord(step=3, time=3.0, epoch=0, values={"validation_loss": 2.0})),
        encode_step(2, 4.0, 2.0),
        encode(EndRecord(step=3, time=5.0)),
    ]
    return b"".join(lines)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "baseline"
    folder.mkdir()
    return folder


@pytest.fixture
def events(run: Path) -> Path:
    return run / "events-0.jsonl"


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def _lines(data: bytes) -> Iterator[bytes]:
    yield from data.splitlines(keepends=True)


@pytest.mark.parametrize("portion", [1, 7, 50], ids="{} bytes a poll".format)
def test_a_log_that_grows_ends_as_the_log_read_whole(run: Path, events: Path, portion: int) -> None:
    """All series and all fields, with a view taken after every poll: live is the same as post-hoc."""
    (run / "run.json").write_bytes(INFO)
    live = Follower(run)
    data = _log()
    for begin in range(0, len(data), portion):
        _append(events, data[begin : begin + portion])
        live.poll()
        live.view()
    whole = Follower(run)
    whole.poll()
    assert_same_view(live.view(), whole.view())
    assert whole.view().last_step == 2
    assert len(whole.view().skipped) == 1
    assert live.unfinished == 0


def test_ranks_that_grow_in_turns_end_as_read_whole(run: Path) -> None:
    """Line by line from one and the other."""
    live = Follower(run)
    for lines in zip(_lines(_log(0)), _lines(_log(1)), strict=True):
        for rank, line in enumerate(lines):
            _append(run / f"events-{rank}.jsonl", line)
            live.poll()
            live.view()
    whole = Follower(run)
    whole.poll()
    assert_same_view(live.view(), whole.view())
    assert whole.view().ranks == (0, 1)


def test_a_run_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    """Not even its folder; everything appears in its own time."""
    run = tmp_path / "later"
    follower = Follower(run)
    assert not follower.poll()
    assert follower.waiting
    run.mkdir()
    assert not follower.poll()
    assert follower.waiting
    (run / "events-0.jsonl").write_bytes(_log())
    assert follower.poll()
    assert not follower.waiting
    assert follower.view().last_step == 2


def test_run_json_may_come_late(run: Path, events: Path) -> None:
    """A synced folder: the events are read without it."""
    events.write_bytes(_log())
    follower = Follower(run)
    follower.poll()
    assert follower.view().info == RunInfo()
    (run / "run.json").write_bytes(INFO)
    assert follower.poll()
    assert follower.view().info.name == "baseline"
    assert not follower.poll()


def test_a_rank_may_come_late(run: Path, events: Path) -> None:
    """Its file is found by the next poll."""
    events.write_bytes(_log())
    follower = Follower(run)
    follower.poll()
    (run / "events-1.jsonl").write_bytes(_log(1))
    assert follower.poll()
    assert follower.view().ranks == (0, 1)
    assert follower.view().series("train_loss").at(0) == 3.0


def test_a_half_written_run_json_is_an_error_that_heals(run: Path, events: Path) -> None:
    """Ours is written atomically, a copy is not. Every poll says so, and the events are read nevertheless."""
    follower = Follower(run)
    events.write_bytes(encode_step(0, 1.0, 2.0))
    for length in (0, 1, len(INFO) // 2, len(INFO) - 3):
        (run / "run.json").write_bytes(INFO[:length])
        for _ in range(2):
            with pytest.raises(LogError, match=r"run\.json: not a run\.json"):
                follower.poll()
    assert follower.view().last_step == 0
    (run / "run.json").write_bytes(INFO)
    assert follower.poll()
    assert follower.view().info.name == "baseline"


def test_a_broken_run_json_that_is_moved_away_is_no_error_any_more(run: Path, events: Path) -> None:
    """As the hint says."""
    events.write_bytes(_log())
    (run / "run.json").write_bytes(b"{")
    follower = Follower(run)
    with pytest.raises(LogError) as raised:
        follower.poll()
    assert "move it away" in raised.value.hint
    (run / "run.json").unlink()
    follower.poll()
    assert follower.view().last_step == 2


def test_a_truncated_log_is_read_anew(run: Path, events: Path) -> None:
    """The view holds nothing of what was there before, of any rank."""
    events.write_bytes(_log())
    (run / "events-1.jsonl").write_bytes(_log(1))
    follower = Follower(run)
    follower.poll()
    events.write_bytes(encode_step(0, 1.0, 9.0))
    (run / "events-1.jsonl").write_bytes(b"")
    assert follower.poll()
    assert follower.restarts == 1
    view = follower.view()
    assert view.series("train_loss").values.tolist() == [9.0]
    assert view.skipped == ()


def test_a_deleted_log_keeps_its_view_until_a_new_one_comes(run: Path, events: Path) -> None:
    """What was read is still true."""
    events.write_bytes(_log())
    follower = Follower(run)
    follower.poll()
    events.unlink()
    assert not follower.poll()
    assert follower.view().last_step == 2
    assert follower.waiting
    events.write_bytes(encode_step(0, 1.0, 9.0))
    assert follower.poll()
    assert follower.view().last_step == 0


def test_an_event_file_can_be_followed_by_itself(run: Path, events: Path) -> None:
    """Its run.json is read along; another rank's file is not."""
    events.write_bytes(_log())
    (run / "events-1.jsonl").write_bytes(_log(1))
    (run / "run.json").write_bytes(INFO)
    follower = Follower(events)
    follower.poll()
    assert follower.view().ranks == (0,)
    assert follower.view().info.name == "baseline"


def test_a_renamed_log_has_no_neighbours(run: Path) -> None:
    """A run.json beside a file of another name belongs to somebody else, and may be of any form."""
    (run / "run.json").write_bytes(b"[not ours]")
    copy = run / "yesterday.log"
    copy.write_bytes(_log())
    follower = Follower(copy)
    follower.poll()
    assert follower.view().last_step == 2


def test_a_format_is_not_decided_by_half_a_line(run: Path) -> None:
    """Three bytes may be the beginning of anything."""
    log = run / "some.log"
    data = _log()
    log.write_bytes(data[:3])
    follower = Follower(log)
    follower.poll()
    assert follower.unfinished == 3
    _append(log, data[3:])
    follower.poll()
    assert follower.view().format == "trainhealth"
    assert follower.view().last_step == 2


def test_a_file_of_another_format_is_an_error_until_it_is_replaced(run: Path) -> None:
    """Not only in the poll that saw it."""
    log = run / "some.log"
    log.write_bytes(b"\x7fELF\x02\x01\n")
    follower = Follower(log)
    for more in (b"", b"world\n"):
        _append(log, more)
        with pytest.raises(LogError, match=r"some\.log: not a log of a known format"):
            follower.poll()
    log.write_bytes(b"")
    follower.poll()
    _append(log, _log())
    follower.poll()
    assert follower.view().last_step == 2


def test_a_newer_schema_in_a_resumed_part_is_an_error_and_what_was_read_remains(run: Path, events: Path) -> None:
    """The message names the file, the line and both versions."""
    events.write_bytes(_log())
    follower = Follower(run)
    follower.poll()
    _append(events, b'{"kind":"start","step":3,"time":9,"schema_version":2}\n')
    for _ in range(2):
        with pytest.raises(LogError, match=r"events-0\.jsonl: line 13: .* version 2, .* up to 1"):
            follower.poll()
    assert follower.view().last_step == 2


@pytest.mark.parametrize("call", ["open", "pread"])
def test_a_file_that_can_not_be_read_is_an_error_that_heals(
    run: Path, events: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Permission lost, or an error of the disk in the middle of reading: nothing is lost or read twice."""
    events.write_bytes(_log())
    follower = Follower(run)

    def fail(*_: object) -> int:
        raise OSError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        for _ in range(2):
            with pytest.raises(LogError, match=r"events-0\.jsonl: Permission denied"):
                follower.poll()
    follower.poll()
    whole = Follower(run)
    whole.poll()
    assert_same_view(follower.view(), whole.view())


def test_a_folder_that_may_not_be_looked_into_is_an_error(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system refuses even to say what the path is."""

    def refuse(self: Path, **_: object) -> os.stat_result:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    follower = Follower(run)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", refuse)
        with pytest.raises(LogError, match="Permission denied"):
            follower.poll()
    assert not follower.poll()


def test_a_view_is_made_anew_only_where_something_is_new(run: Path, events: Path) -> None:
    """The dashboard asks twice a second."""
    events.write_bytes(_log())
    follower = Follower(run)
    follower.poll()
    view = follower.view()
    follower.poll()
    assert follower.view() is view
    _append(events, encode_step(3, 6.0, 1.0))
    follower.poll()
    assert follower.view() is not view
