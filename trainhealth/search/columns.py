"""Rows of a table of trials -> `Trials`: which column is the score, which are settings, and what the others are."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainhealth.column_words import cut
from trainhealth.errors import LogError, UsageError
from trainhealth.readers.rows import ABSENT, as_number
from trainhealth.search.trials import Space, Trial, Trials, Value

_HIGHER = frozenset(
    ("accuracy", "acc", "auc", "auroc", "f1", "r2", "score", "reward", "return", "map", "map50", "bleu", "rouge",
     "precision", "recall", "iou", "miou", "dice", "top1", "top5", "correlation", "psnr", "ssim")
)  # fmt: skip
_LOWER = frozenset(
    ("loss", "error", "err", "rmse", "mse", "mae", "nll", "perplexity", "ppl", "cost", "wer", "cer", "fid", "bpc")
)
_VALIDATION = frozenset(("val", "valid", "validation", "eval", "evaluation", "dev", "cv"))
_PLAIN = ("value", "objective", "metric", "target")  # of a score whose direction its name does not say
_PREFIX = re.compile(r"^(params?|config|hparams|hyperparameters|hp)[_./ ]")
_NO_SETTING = re.compile(
    r"^(trial|trial_?id|number|id|name|run|run_?id|index|unnamed.*|iteration|iterations|steps?|epochs?|time.*|date.*|"
    r"duration|datetime.*|state|status|random_?state|.*seed|host(name)?|pid|path|dir|checkpoint|rank_.*|std_.*|"
    r"split\d+_.*|(mean|std)_(fit|score)_time|done|experiment.*|user_attrs_.*|system_attrs_.*|.*_runtime|runtime)$"
)
_NAMES = ("trial", "trial_id", "number", "run", "name", "id")
_STATE = ("state", "status")
_FAILED = frozenset(("pruned", "fail", "failed", "crashed", "error", "killed", "diverged"))
_NEVER = 100  # as a preference for a score
_GOING = frozenset(("running", "waiting", "pending"))


_HINT = "A row a trial: its settings, and its score."


@dataclass(frozen=True, slots=True)
class Goal:
    """What the user says of the score; None is found out from the names of the columns."""

    score: str | None = None
    maximize: bool | None = None


def trials_of(
    rows: Sequence[Mapping[str, object]], path: str, goal: Goal, spaces: Mapping[str, Space] | None = None
) -> Trials:
    """Return the trials of a table.

    Raises:
        LogError: there is no trial in it.
        UsageError: the score can't be told from its columns' names, or there is no such column.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    if not rows:
        raise LogError(f"{path}: there is no trial in it", _HINT)
    if len(columns) < 2:
        raise LogError(f"{path}: no table of trials", _HINT)
    score = _score(columns, rows, goal, path)
    maximize = _direction(score, goal, path)
    settings = _settings(columns, rows, score)
    name = next((column for known in _NAMES for column in columns if column.lower() == known), None)
    going = [row for row in rows if _state(row) in _GOING]
    trials = tuple(
        Trial(
            _named(row, name, number),
            {_PREFIX.sub("", column): _value(row.get(column), numeric) for column, numeric in settings.items()},
            math.nan if _state(row) in _FAILED else _number(row.get(score)),
        )
        for number, row in enumerate(rows)
        if _state(row) not in _GOING
    )
    notes = [f"trials that are not over yet: {len(going)}"] if going else []
    told = {*settings, score, name}
    aside = [column for column in columns if column not in told and column.lower() not in _STATE]
    notes += [f"columns that are no settings: {', '.join(aside)}"] if aside else []
    return Trials(trials, score, maximize, spaces or {}, tuple(notes), path)


def _score(columns: Sequence[str], rows: Sequence[Mapping[str, object]], goal: Goal, path: str) -> str:
    if goal.score is not None:
        if goal.score not in columns:
            raise UsageError(f"{path} has no column {goal.score!r}", f"There are: {', '.join(columns)}.")
        return goal.score
    numeric = [c for c in columns if not _PREFIX.match(c) and any(as_number(row.get(c)) is not None for row in rows)]
    ranked = sorted((_preference(column), index) for index, column in enumerate(numeric))
    if not ranked or ranked[0][0] >= _NEVER:
        hint = f"Name its column: --score NAME. There are: {', '.join(columns)}."
        raise UsageError(f"{path}: no column is a score by its name", hint)
    return numeric[ranked[0][1]]


def _preference(column: str) -> int:
    """Return how likely a column is the score that the search is about; the lowest is taken."""
    words = cut(column)
    if not words or "std" in words or "rank" in words or "time" in words or words[0].startswith("split"):
        return _NEVER
    if len(words) == 1 and words[0] in _PLAIN:
        return 0
    if not _HIGHER.union(_LOWER).intersection(words):
        return _NEVER
    of_split = 10 if _VALIDATION.intersection(words) else 30 if "train" in words or "training" in words else 20
    return of_split + (0 if _HIGHER.intersection(words) else 1)


def _direction(score: str, goal: Goal, path: str) -> bool:
    if goal.maximize is not None:
        return goal.maximize
    words = set(cut(score))
    if bool(words & _HIGHER) == bool(words & _LOWER):
        raise UsageError(
            f"{path}: the name {score!r} does not say whether a high or a low value is good",
            "Pass --goal max or --goal min.",
        )
    return bool(words & _HIGHER)


def _settings(columns: Sequence[str], rows: Sequence[Mapping[str, object]], score: str) -> dict[str, bool]:
    """Return the columns that are settings, and whether their values are numbers."""
    prefixed = [column for column in columns if _PREFIX.match(column)]
    candidates = prefixed or [c for c in columns if c != score and not _is_aside(c)]
    found: dict[str, bool] = {}
    for column in candidates:
        if prefixed and _NO_SETTING.match(_PREFIX.sub("", column).lower()):
            continue
        cells = [cell for row in rows if (cell := row.get(column)) is not None and not _absent(cell)]
        if any(isinstance(cell, list | dict) for cell in cells):
            continue
        numeric = all(as_number(cell) is not None for cell in cells)
        words = {str(cell) for cell in cells}
        if not numeric and len(words) == len(rows) > 4:
            continue  # a name, a text: another one for every trial
        found[column] = numeric
    return found


def _is_aside(column: str) -> bool:
    return _NO_SETTING.match(column.lower()) is not None or _measured(column)


def _measured(column: str) -> bool:
    """Tell whether a column that is not the score was measured, too: "train_loss", but not "loss_weight"."""
    words = cut(column)
    splits = _VALIDATION | {"train", "training", "test", "best", "final", "mean"}
    return bool(words) and words[-1] in _HIGHER | _LOWER and all(w in splits | _HIGHER | _LOWER for w in words)


def _state(row: Mapping[str, object]) -> str:
    states = (row[column] for column in row if column.lower() in _STATE)
    return next((str(state).rpartition(".")[2].lower() for state in states), "")


def _named(row: Mapping[str, object], column: str | None, number: int) -> str:
    cell = row.get(column) if column else None
    return str(number) if cell is None or _absent(cell) else str(cell)


def _absent(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in ABSENT - {"none"})


def _number(cell: object) -> float:
    number = as_number(cell)
    return math.nan if number is None else number


def _value(cell: object, numeric: bool) -> Value:
    if _absent(cell):
        return None
    if numeric:
        number = _number(cell)
        return number if math.isfinite(number) else None
    return str(cell).lower() if isinstance(cell, bool) else str(cell)
