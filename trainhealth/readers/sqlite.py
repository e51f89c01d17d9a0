"""SQLite databases of trackers: MLflow's (``mlflow.db``) and Trackio's.

MLflow has a row a value: ``metrics(key, value, timestamp, step, is_nan, run_uuid)``; infinity is the largest float.
Trackio has a row a step: ``metrics(run_name, timestamp, step, metrics)`` with JSON in the last. A database holds many
runs: the one that was written to last is read, and an event names the others. A write-ahead log beside the file is in
the bytes already (``tail.py``).
"""

from __future__ import annotations

import json
import math
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import ClassVar, TypeAlias

from trainhealth.readers.base import DEFAULT_NAMES, Reader
from trainhealth.readers.json_document import flat
from trainhealth.readers.names import Names
from trainhealth.readers.rows import ANOTHER_RUN, LARGEST_STEP, Rows, as_number, seconds_since_1970
from trainhealth.readers.write_ahead import MAGIC, opened
from trainhealth.records import EventRecord, Record, Skipped

_HEADER = 100  # bytes of the file's header (sqlite.org/fileformat.html, 1.3)
LARGEST = 2 << 30  # bytes of a database that are taken into memory
_INFINITY = sys.float_info.max  # as MLflow stores it
_Rows: TypeAlias = dict[int, tuple[float, dict[str, object]]]  # step -> time and columns


def _sample() -> bytes:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("PRAGMA page_size = 512")
        database.execute("CREATE TABLE metrics (id INTEGER PRIMARY KEY, timestamp, run_name, step, metrics)")
        rows = [
            ("2026-11-21T08:00:00", "calm-river-3", 0, '{"train/loss": 2.31}'),
            ("2026-11-21T08:00:01", "calm-river-3", 1, '{"train/loss": "NaN", "train/lr": 0.001}'),
        ]
        database.executemany("INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES (?, ?, ?, ?)", rows)
        database.commit()
        return database.serialize()


class SqliteReader(Reader):
    """Reads the newest run of a database when all of its pages have come."""

    name = "sqlite"
    replaced = True  # pages change anywhere
    sample: ClassVar[tuple[str, bytes]] = ("trackio.db", _sample())

    def __init__(self, names: Names = DEFAULT_NAMES, file: str = "") -> None:
        super().__init__(names, file)
        self._pieces: list[bytes] = []
        self._size = 0
        self._whole = 0  # bytes of the database, from its header
        self._done = False

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise the file's first bytes."""
        return 0.9 if head.startswith(MAGIC) else 0.0

    def feed(self, chunk: bytes) -> list[Record | Skipped]:
        """Return the records of the database when `chunk` completes it."""
        if self._done or not chunk:
            return []
        self._pieces.append(chunk)
        self._size += len(chunk)
        if not self._whole and self._size >= _HEADER:
            header = b"".join(self._pieces)[:_HEADER]
            page = int.from_bytes(header[16:18], "big")
            self._whole = (65536 if page == 1 else page) * int.from_bytes(header[28:32], "big")
            if not header.startswith(MAGIC) or not 0 < self._whole <= LARGEST:
                return self._finish([Skipped(0, "no SQLite database that can be read")])
        return self._finish(list(self._read())) if self._whole and self._size >= self._whole else []

    def settle(self) -> list[Record | Skipped]:
        """Say that pages are missing."""
        return [Skipped(0, "the database is cut short")] if self._pieces else []

    def unfinished(self) -> int:
        """Return how many bytes wait for the last page."""
        return sum(map(len, self._pieces))

    def _finish(self, records: list[Record | Skipped]) -> list[Record | Skipped]:
        self._done, self._pieces = True, []
        return records

    def _read(self) -> Iterator[Record | Skipped]:
        try:
            with closing(opened(b"".join(self._pieces)[: self._whole])) as database:
                # a table, no view: whoever made the file may have made one without an end
                found = database.execute(
                    "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'metrics'"
                ).fetchone()
                columns = {str(column[1]) for column in database.execute("PRAGMA table_info(metrics)") if found}
                if {"key", "value", "step", "run_uuid"} <= columns:
                    yield from self._mlflow(database)
                elif {"run_name", "step", "metrics"} <= columns:
                    yield from self._trackio(database)
                else:
                    yield Skipped(0, "the database has no table of metrics that is known (MLflow's or Trackio's)")
        except (sqlite3.Error, ValueError) as error:  # ValueError: a damaged name that is no UTF-8
            yield Skipped(0, f"the database can't be read: {error}")

    def _mlflow(self, database: sqlite3.Connection) -> Iterator[Record | Skipped]:
        runs = database.execute("SELECT run_uuid, max(timestamp) FROM metrics GROUP BY run_uuid ORDER BY 2").fetchall()
        if not runs:
            return
        rows: _Rows = {}
        cells = "rowid, key, value, timestamp, step, is_nan"
        query = f"SELECT {cells} FROM metrics WHERE run_uuid IS ? ORDER BY step, timestamp"
        for row, key, value, time, step, is_nan in database.execute(query, (runs[-1][0],)):
            at, number = as_number(step), as_number(value)
            if at is None or not math.isfinite(at) or (number is None and not is_nan):
                yield Skipped(row, "a row without a step or a value")
                continue
            if number is None or is_nan:
                number = math.nan
            elif abs(number) >= _INFINITY:
                number = math.copysign(math.inf, number)
            rows.setdefault(int(at), (seconds_since_1970(as_number(time) or 0.0), {}))[1][str(key)] = number
        yield from self._rows_of(rows, [str(run) for run, _ in runs[:-1]])

    def _trackio(self, database: sqlite3.Connection) -> Iterator[Record | Skipped]:
        runs = database.execute("SELECT run_name, max(rowid) FROM metrics GROUP BY run_name ORDER BY 2").fetchall()
        if not runs:
            return
        rows: _Rows = {}
        query = "SELECT rowid, timestamp, step, metrics FROM metrics WHERE run_name IS ? ORDER BY rowid"
        for row, time, step, text in database.execute(query, (runs[-1][0],)):
            at = as_number(step)
            try:
                values = json.loads(str(text))
            except (ValueError, RecursionError):
                values = None
            if at is None or not math.isfinite(at) or not isinstance(values, dict):
                yield Skipped(row, "a row without a step, or whose metrics are no JSON object")
                continue
            rows.setdefault(int(at), (_seconds(time), {}))[1].update(flat(values))
        yield from self._rows_of(rows, [str(run) for run, _ in runs[:-1]])

    def _rows_of(self, rows: _Rows, others: list[str]) -> Iterator[Record]:
        made = Rows(self.names)
        for step, (time, values) in sorted(rows.items()):
            yield from made.records(values, step=min(max(step, 0), LARGEST_STEP), time=time)
        if others:
            message = f"{len(others)} older runs are in this database: {', '.join(others[:5])}"
            data = {"runs": len(others) + 1}
            yield EventRecord(step=0, time=0.0, event=ANOTHER_RUN, message=message, data=data)


def _seconds(time: object) -> float:
    """Return an ISO 8601 time as seconds since 1970; 0 where it is none."""
    try:
        return seconds_since_1970(datetime.fromisoformat(str(time)).timestamp())
    except (ValueError, OverflowError):
        return 0.0
