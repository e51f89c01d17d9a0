"""A path -> the trials of a search: a table (CSV, JSON lines, JSON), an Optuna storage, or a folder of runs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trainhealth.errors import LogError, UsageError
from trainhealth.readers.json_document import flat
from trainhealth.readers.table import DELIMITERS
from trainhealth.search import optuna_storage, run_folders
from trainhealth.search.columns import Goal, trials_of
from trainhealth.search.optuna_storage import Study
from trainhealth.search.trials import Trials

_URL = "sqlite:///"
_HEAD = 64  # bytes by which a format is recognised
_HINT = "A search is a table (CSV, JSON lines), an Optuna storage, or a folder of runs."


def read_search(path: str, goal: Goal, study: str | None = None) -> Trials:
    """Return the trials that a path means.

    Raises:
        LogError: nothing is there, or it can't be read as a search.
        UsageError: the score can't be told, or there is no such study.
    """
    if "://" in path and not path.startswith(_URL):
        raise UsageError(f"{path}: this kind of storage is not read", "Write study.trials_dataframe() to a CSV file.")
    target = Path(path.removeprefix(_URL))
    if target.is_dir():
        rows, score = run_folders.rows_of(target, goal.score)
        return trials_of(rows, path, Goal(score, _known(score, goal)))
    try:
        with target.open("rb") as opened:
            head = opened.read(_HEAD)
        if optuna_storage.is_database(head):
            return _of_study(optuna_storage.read_database(target, study), path, goal)
        if optuna_storage.is_journal(head):
            return _of_study(optuna_storage.read_journal(target, study), path, goal)
        text = target.read_text("utf-8-sig", "replace")
    except OSError as error:
        raise LogError(f"{path}: {error.strerror or error}", _HINT) from error
    rows = _objects(text, path) if text.lstrip()[:1] in ("{", "[") else _table(text)
    return trials_of(rows, path, goal)


def _known(score: str, goal: Goal) -> bool | None:
    return run_folders.SCORES.get(score) if goal.maximize is None else goal.maximize


def _of_study(study: Study, path: str, goal: Goal) -> Trials:
    maximize = study.maximize if goal.maximize is None else goal.maximize
    return trials_of(study.rows, path, Goal(goal.score or "value", maximize), study.spaces)


def _table(text: str) -> list[dict[str, object]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        return []
    rows = csv.reader(lines, delimiter=max(DELIMITERS, key=lines[0].count))
    header = [cell.strip() for cell in next(rows)]
    return [{name: cell.strip() for name, cell in zip(header, row, strict=False) if name} for row in rows]


def _objects(text: str, path: str) -> list[dict[str, object]]:
    """Return the objects of JSON lines, or those of one list; nested ones become columns "outer/inner"."""
    found: Iterable[Any]
    try:
        found = (
            json.loads(text) if text.lstrip().startswith("[") else map(json.loads, filter(str.strip, text.splitlines()))
        )
        return [flat(row) for row in found if isinstance(row, dict)]
    except (ValueError, RecursionError) as error:
        raise LogError(f"{path}: no JSON: {error}", _HINT) from error
