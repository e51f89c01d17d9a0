"""Optuna's storages: SQLite databases and journals, read without Optuna.

A database has a table each for studies, directions, trials, parameters and values (schema version 12); a journal is a
line of JSON for each operation (`optuna.storages.journal`). Both hold the distribution that a parameter was drawn from.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainhealth.errors import LogError, UsageError
from trainhealth.readers.write_ahead import opened
from trainhealth.search.trials import Space
from trainhealth.tail import database_at

_STATES = ("running", "complete", "pruned", "fail", "waiting")  # in the order of their numbers
_CREATE_STUDY, _CREATE_TRIAL, _PARAMETER, _STATE = 0, 4, 5, 6  # operations of a journal
_MAXIMIZE = 2


@dataclass
class Study:
    """One study: its trials as rows, with a column "value" for the first objective."""

    name: str
    maximize: bool = False
    rows: list[dict[str, object]] = field(default_factory=list)
    spaces: dict[str, Space] = field(default_factory=dict)

    def draw(self, row: dict[str, object], name: str, stored: float, distribution: str) -> None:
        """Put a parameter into a row, and what it was drawn from into the spaces."""
        described = json.loads(distribution)
        facts = described["attributes"]
        if "choices" in facts:
            choice = facts["choices"][int(stored)]
            row[f"params_{name}"] = str(choice).lower() if isinstance(choice, bool) else choice
        else:
            row[f"params_{name}"] = stored
            log = bool(facts.get("log", "Log" in described["name"]))
            self.spaces[name] = Space(float(facts["low"]), float(facts["high"]), log)


def is_database(head: bytes) -> bool:
    """Tell whether a file that begins so is an SQLite database."""
    return head.startswith(b"SQLite format 3\0")


def is_journal(head: bytes) -> bool:
    """Tell whether a file that begins so is Optuna's journal."""
    return head.lstrip().startswith(b'{"op_code"')


def read_database(path: Path, study: str | None) -> Study:
    """Return one study of a database, by default the newest.

    Raises:
        LogError: the database is not Optuna's, or can't be read.
        UsageError: there is no study of that name.
    """
    try:
        with closing(opened(database_at(path))) as database:
            found = dict(database.execute("SELECT study_name, study_id FROM studies ORDER BY study_id"))
            name = _chosen(found, study, path)
            return _from_database(database, name, found[name])
    except (sqlite3.Error, ValueError, KeyError, IndexError, TypeError) as error:  # the others: of damaged rows
        hint = "A search is a table (CSV, JSON lines), an Optuna storage, or a folder of runs."
        raise LogError(f"{path}: no Optuna storage that can be read ({error})", hint) from error


def _from_database(database: sqlite3.Connection, name: str, number: int) -> Study:
    directions = database.execute(
        "SELECT direction FROM study_directions WHERE study_id = ? ORDER BY objective", (number,)
    ).fetchall()
    study = Study(name, bool(directions) and directions[0][0] == "MAXIMIZE")
    rows: dict[int, dict[str, object]] = {}
    listed = "SELECT trial_id, number, state FROM trials WHERE study_id = ? ORDER BY number"
    for trial, count, state in database.execute(listed, (number,)):
        rows[trial] = {"number": count, "state": state, "value": None}
    for trial, parameter, stored, distribution in database.execute(
        "SELECT trial_id, param_name, param_value, distribution_json FROM trial_params"
    ):
        if trial in rows:
            study.draw(rows[trial], parameter, stored, distribution)
    for trial, value in database.execute("SELECT trial_id, value FROM trial_values WHERE objective = 0"):
        if trial in rows:
            rows[trial]["value"] = value  # of an infinite value NULL is stored
    study.rows = list(rows.values())
    return study


def read_journal(path: Path, study: str | None) -> Study:
    """Return one study of a journal, by default the newest; raises as `read_database` does."""
    found: dict[str, Study] = {}
    trials: list[tuple[Study, dict[str, object]]] = []
    try:
        for entry in _entries(path.read_text("utf-8", "replace").splitlines()):
            _replay(entry, found, trials)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise LogError(f"{path}: a journal of Optuna that can't be followed ({error})", "Export it as CSV.") from error
    return found[_chosen(found, study, path)]


def _entries(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue  # the last line, while it is being written


def _replay(entry: Mapping[str, Any], found: dict[str, Study], trials: list[tuple[Study, dict[str, object]]]) -> None:
    operation = entry["op_code"]
    if operation == _CREATE_STUDY:
        found[entry["study_name"]] = Study(entry["study_name"], entry["directions"][0] == _MAXIMIZE)
    elif operation == _CREATE_TRIAL:
        study = list(found.values())[entry["study_id"]]
        study.rows.append({"number": len(study.rows), "state": "running", "value": None})
        trials.append((study, study.rows[-1]))
    elif operation == _PARAMETER:
        study, row = trials[entry["trial_id"]]
        study.draw(row, entry["param_name"], entry["param_value_internal"], entry["distribution"])
    elif operation == _STATE:
        row = trials[entry["trial_id"]][1]
        row["state"] = _STATES[entry["state"]]
        values = entry.get("values")
        row["value"] = values[0] if values and math.isfinite(values[0]) else None


def _chosen(found: Mapping[str, object], study: str | None, path: Path) -> str:
    names = list(found)
    if not names:
        raise LogError(f"{path}: a storage of Optuna without a study", "Has the search begun?")
    if study is not None and study not in found:
        raise UsageError(f"{path} has no study {study!r}", f"There are: {', '.join(names)}.")
    return names[-1] if study is None else study
