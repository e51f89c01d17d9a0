"""The SQLite databases that trackers keep, as bytes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing

MS = 1763712000000  # of the first value, since 1970


def trackio_database(losses: Sequence[float]) -> bytes:
    """Return Trackio's: a row a step, metrics as JSON; an older run stands before the one with these losses."""
    table = "CREATE TABLE metrics (id INTEGER PRIMARY KEY, timestamp TEXT, run_name TEXT, step INTEGER, metrics TEXT)"
    rows = [
        (f"2026-11-21T08:00:{step:02}", "calm-river-3", step, json.dumps({"train/loss": loss, "train/lr": 1e-3}))
        for step, loss in enumerate(losses)
    ]
    insert = "INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES (?, ?, ?, ?)"
    return _database(table, insert, [("2026-11-20T08:00:00", "old", 0, '{"loss": "NaN"}'), *rows])


def mlflow_database(losses: Sequence[float]) -> bytes:
    """Return MLflow's: a row a value, NaN as a mark beside 0."""
    table = "CREATE TABLE metrics (key, value, timestamp, step, is_nan, run_uuid)"
    rows = [("train_loss", loss, MS + step, step, 0, "a1") for step, loss in enumerate(losses)]
    rows += [("val_loss", 0.0, MS + step, step, 1, "a1") for step in range(0, len(losses), 3)]
    return _database(table, "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)


def _database(table: str, insert: str, rows: Sequence[tuple[object, ...]]) -> bytes:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("PRAGMA page_size = 1024")
        database.execute(table)
        database.executemany(insert, rows)
        database.commit()
        return database.serialize()
