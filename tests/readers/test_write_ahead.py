"""Databases that are being written: what is committed in the log beside them is read, and nothing is changed."""

from __future__ import annotations

import json
import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trainhealth
from tests.readers.reading import signals
from trainhealth.following import Follower
from trainhealth.readers.write_ahead import opened, with_log
from trainhealth.tail import Tail, database_at

TABLE = "CREATE TABLE metrics (id INTEGER PRIMARY KEY, timestamp TEXT, run_name TEXT, step INTEGER, metrics TEXT)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "project.db"


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    """A tracker that has the database open, as Trackio does while a training runs."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(TABLE)
        database.commit()
        yield database


def log(writer: sqlite3.Connection, step: int, loss: float) -> None:
    row = ("2026-11-21T08:00:00", "calm-river-3", step, json.dumps({"train/loss": loss}))
    writer.execute("INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES (?, ?, ?, ?)", row)
    writer.commit()


def filled(page_size: int, path: Path, transactions: int) -> tuple[sqlite3.Connection, list[list[tuple[int, str]]]]:
    """Return a database whose log was begun anew several times, and what its table held after each transaction."""
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA page_size = {page_size}")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA wal_autocheckpoint = 20")
    database.execute("CREATE TABLE lines (number, text)")
    database.commit()
    source, states = random.Random(page_size), [[]]
    for number in range(transactions):
        rows = [(number, "x" * source.randint(1, 300)) for _ in range(source.randint(1, 12))]
        database.executemany("INSERT INTO lines VALUES (?, ?)", rows)
        if number % 7 == 6:
            database.execute("DELETE FROM lines WHERE number = ?", (source.randrange(number),))
        database.commit()
        states.append(database.execute("SELECT number, text FROM lines").fetchall())
    return database, states


def table_in(image: bytes) -> list[tuple[int, str]]:
    with closing(opened(image)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return database.execute("SELECT number, text FROM lines").fetchall()


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_the_image_is_the_database_that_sqlite_shows(page_size: int, path: Path) -> None:
    """After every transaction, also where the log was moved into the database and begun anew."""
    database = sqlite3.connect(":memory:")
    for transactions in range(1, 60, 7):
        path.unlink(missing_ok=True)
        database, states = filled(page_size, path, transactions)
        with closing(database):
            assert table_in(database_at(path)) == states[-1]


def test_a_log_cut_anywhere_gives_an_earlier_state(path: Path) -> None:
    """What is just being written is no transaction yet."""
    database, states = filled(512, path, 9)
    with closing(database):
        data, whole = path.read_bytes(), Path(f"{path}-wal").read_bytes()
        found = [table_in(with_log(data, whole[:cut])) for cut in range(0, len(whole) + 1, 61)]
    places = [states.index(state) for state in found]
    assert places == sorted(places)
    assert found[-1] in states[-2:]


@given(data=st.data())
def test_bytes_of_the_log_that_were_overwritten_end_it(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A wrong checksum costs what follows, and never gives a state that there was not."""
    path = tmp_path_factory.mktemp("log") / "project.db"
    database, states = filled(512, path, 9)
    with closing(database):
        image, whole = path.read_bytes(), bytearray(Path(f"{path}-wal").read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    assert table_in(with_log(image, bytes(whole))) in states


@pytest.mark.parametrize("junk", [b"", b"\x37\x7f\x06\x82", bytes(64), b"x" * 5000])
def test_what_is_no_log_changes_nothing(junk: bytes) -> None:
    """Nor does a log beside what is no database."""
    database = b"SQLite format 3\0" + bytes(5000)
    assert with_log(database, junk) == database
    assert with_log(b"loss 1\n", junk) == b"loss 1\n"


def test_a_run_is_followed_while_its_tracker_writes(path: Path, writer: sqlite3.Connection) -> None:
    """Row by row, through the log alone; that is no restart, and neither file is touched by us."""
    follower = Follower(path)
    for step in range(30):
        log(writer, step, 2.0 / (step + 1))
        before = {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in path.parent.iterdir()}
        assert follower.poll()
        assert signals(follower.view())["train_loss"] == {at: 2.0 / (at + 1) for at in range(step + 1)}
        assert {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in path.parent.iterdir()} == before
    assert not follower.poll()
    writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    follower.poll()
    log(writer, 30, 0.01)
    assert follower.poll()
    assert signals(follower.view())["train_loss"][30] == 0.01
    assert follower.restarts == 0


def test_a_database_whose_log_was_moved_into_it_is_read(path: Path, writer: sqlite3.Connection) -> None:
    """Its header still says that it has one, which a database in memory can't have."""
    log(writer, 0, 2.0)
    writer.close()
    assert not Path(f"{path}-wal").exists()
    assert signals(trainhealth.load(path).view) == {"train_loss": {0: 2.0}}


def test_a_folder_that_may_not_be_written_is_read(path: Path, writer: sqlite3.Connection) -> None:
    """SQLite would make a file there, or refuse; a copy of the two files on read-only storage is enough."""
    log(writer, 0, 2.0)
    folder = path.parent / "copy"
    folder.mkdir()
    for file in (path, Path(f"{path}-wal")):
        (folder / file.name).write_bytes(file.read_bytes())
    folder.chmod(0o555)
    try:
        assert signals(trainhealth.load(folder / path.name).view) == {"train_loss": {0: 2.0}}
        assert sorted(os.listdir(folder)) == [path.name, f"{path.name}-wal"]
    finally:
        folder.chmod(0o755)


def test_a_log_beside_the_database_that_goes_is_a_change(path: Path, writer: sqlite3.Connection) -> None:
    """When the tracker ends, the log is moved into the database and deleted."""
    log(writer, 0, 2.0)
    tail = Tail(path)
    whole = b"".join(tail.poll()[1])
    assert tail.poll()[0] is False
    writer.close()
    restarted, chunks = tail.poll()
    assert restarted
    assert len(b"".join(chunks)) == len(whole)
