"""A file that is followed: growing, truncated, replaced, rewritten, gone, forbidden."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainhealth import tail as tail_module
from trainhealth.tail import Tail


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events-0.jsonl"


def _poll(tail: Tail) -> tuple[bool, bytes]:
    restarted, chunks = tail.poll()
    return restarted, b"".join(chunks)


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def _touch(path: Path, seconds: int) -> None:
    """Give the file another time of change, however coarse the file system's clock is."""
    os.utime(path, (seconds, seconds))


def test_a_file_that_is_not_there_yet_is_waited_for(path: Path) -> None:
    """No error, no data; then everything from the beginning."""
    tail = Tail(path)
    assert _poll(tail) == (False, b"")
    assert not tail.exists
    path.write_bytes(b"one\n")
    assert _poll(tail) == (False, b"one\n")
    assert tail.exists


@given(portions=st.lists(st.binary(max_size=600), max_size=8))
def test_a_growing_file_gives_its_bytes_in_order(
    tmp_path_factory: pytest.TempPathFactory, portions: list[bytes]
) -> None:
    """Each byte once, in whatever portions it was written, be they shorter or longer than the marks that are kept."""
    path = tmp_path_factory.mktemp("grow") / "events-0.jsonl"
    tail = Tail(path)
    received = b""
    for portion in portions:
        _append(path, portion)
        restarted, data = _poll(tail)
        assert not restarted
        received += data
        assert _poll(tail) == (False, b"")
    assert received == b"".join(portions)


def test_a_file_larger_than_a_read_comes_in_chunks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that memory holds a piece of a large log, not all of it."""
    monkeypatch.setattr(tail_module, "CHUNK", 10)
    path.write_bytes(bytes(range(25)))
    _, chunks = Tail(path).poll()
    assert [len(chunk) for chunk in chunks] == [10, 10, 5]


def test_a_truncated_file_begins_anew(path: Path) -> None:
    """A plain loop that reads on from its position reads nothing for ever after: shown beside it."""
    path.write_bytes(b"a long first line\n")
    tail = Tail(path)
    _poll(tail)
    with path.open("rb") as plain:
        plain.read()
        path.write_bytes(b"short\n")
        assert _poll(tail) == (True, b"short\n")
        _append(path, b"more\n")
        assert plain.read() == b""
        assert _poll(tail) == (False, b"more\n")


def test_a_file_truncated_and_grown_beyond_the_old_end_begins_anew(path: Path) -> None:
    """Between two polls: its size alone would look like growth."""
    path.write_bytes(b'{"kind":"start","time":1}\n')
    tail = Tail(path)
    _poll(tail)
    inode = path.stat().st_ino
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(b'{"kind":"start","time":2}\n{"kind":"step"}\n')
    assert path.stat().st_ino == inode
    assert _poll(tail) == (True, b'{"kind":"start","time":2}\n{"kind":"step"}\n')


def test_a_file_whose_beginning_is_the_same_is_told_by_what_was_read_last(path: Path) -> None:
    """A table has the same head in every run: the bytes before the old end differ."""
    head = b"step,loss\n" * 100
    path.write_bytes(head + b"0,2.301\n")
    tail = Tail(path)
    _poll(tail)
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(head + b"0,2.299\n1,2.298\n")
    assert _poll(tail) == (True, head + b"0,2.299\n1,2.298\n")


def test_a_file_rewritten_with_the_same_length_begins_anew(path: Path) -> None:
    """Its time of change tells that there is something to look at."""
    path.write_bytes(b"loss 1.0\n")
    tail = Tail(path)
    _poll(tail)
    path.write_bytes(b"loss 2.0\n")
    _touch(path, 2_000_000_000)
    assert _poll(tail) == (True, b"loss 2.0\n")


def test_a_file_that_was_only_touched_goes_on(path: Path) -> None:
    """Nothing that was read is void."""
    path.write_bytes(b"one\n")
    tail = Tail(path)
    _poll(tail)
    _touch(path, 2_000_000_000)
    assert _poll(tail) == (False, b"")


def test_a_replaced_file_begins_anew(path: Path) -> None:
    """Rotation, or a copy that was synced: another inode, even where the content goes on from the old one."""
    path.write_bytes(b"one\n")
    tail = Tail(path)
    _poll(tail)
    other = path.with_name("other")
    other.write_bytes(b"one\ntwo\n")
    os.replace(other, path)
    assert _poll(tail) == (True, b"one\ntwo\n")


def test_a_file_deleted_and_made_again_begins_anew(path: Path) -> None:
    """In between it is not there, which is no error."""
    path.write_bytes(b"one\n")
    tail = Tail(path)
    _poll(tail)
    path.unlink()
    assert _poll(tail) == (False, b"")
    assert not tail.exists
    path.write_bytes(b"one\n")
    assert _poll(tail) == (True, b"one\n")


def test_a_file_that_was_empty_does_not_begin_anew(path: Path) -> None:
    """Nothing was read of it, so that nothing is void."""
    path.touch()
    tail = Tail(path)
    assert _poll(tail) == (False, b"")
    path.unlink()
    path.write_bytes(b"one\n")
    assert _poll(tail) == (False, b"one\n")


def test_a_file_that_vanishes_between_looking_and_opening_is_not_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A race with a cleaner, not an error."""
    path.write_bytes(b"one\n")

    def vanish(*_: object) -> int:
        raise FileNotFoundError(errno.ENOENT, "gone", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", vanish)
        tail = Tail(path)
        assert _poll(tail) == (False, b"")
        assert not tail.exists
    assert _poll(tail) == (False, b"one\n")


def test_a_file_without_permission_raises_until_it_is_given(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every poll says so; then the file is read from the beginning."""
    path.write_bytes(b"one\n")
    tail = Tail(path)

    def forbid(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", forbid)
        for _ in range(2):
            with pytest.raises(PermissionError):
                tail.poll()
    assert _poll(tail) == (False, b"one\n")


def test_a_closed_tail_reads_from_the_beginning(path: Path) -> None:
    """And says that what came before is void."""
    path.write_bytes(b"one\n")
    tail = Tail(path)
    _poll(tail)
    tail.close()
    tail.close()
    assert _poll(tail) == (True, b"one\n")
