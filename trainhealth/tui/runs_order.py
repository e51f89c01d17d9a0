"""In which order the table shows the runs, and which of them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from trainhealth.tui.runs_row import Depth, RunRow
from trainhealth.tui.snapshot import State

Key: TypeAlias = tuple[Any, ...]

_CONCERN = (State.BROKEN, State.UNREADABLE, State.FAILED, State.GONE, State.STALLED, State.LIVE)  # then the others


class Order(NamedTuple):
    """A column by which runs are put in order; `key` returns None where the run is not known so far."""

    id: str
    title: str
    depth: Depth  # how far all runs have to be read for it
    key: Callable[[RunRow], Key | None]


def _age(row: RunRow) -> Key:
    # runs that train would change places at every record: they stand by their names
    return (0, 0.0) if row.condition.state is State.LIVE else (1, -row.written)


def _state(row: RunRow) -> Key | None:
    state = row.condition.state
    if row.depth is Depth.LISTED and state is State.READING:
        return None
    return (_CONCERN.index(state) if state in _CONCERN else len(_CONCERN),)


def _loss(row: RunRow) -> Key | None:
    return None if row.loss is None else (not math.isfinite(row.loss), row.loss if math.isfinite(row.loss) else 0.0)


def _result(row: RunRow) -> Key | None:
    if row.best is None:
        return None
    accuracy = row.best.signal.endswith("accuracy")
    return (not accuracy, -row.best.value if accuracy else row.best.value)


def _findings(row: RunRow) -> Key | None:
    if row.findings is None:
        return None
    ranks = sorted(finding.severity.rank for finding in row.findings)
    return (ranks[0] if ranks else math.inf, [*ranks, math.inf])


ORDERS = (
    Order("age", "age", Depth.LISTED, _age),
    Order("name", "run", Depth.LISTED, lambda row: ()),
    Order("state", "state", Depth.GLANCED, _state),
    Order("step", "step", Depth.GLANCED, lambda row: (-row.step,) if row.step >= 0 else None),
    Order("loss", "loss", Depth.GLANCED, _loss),
    Order("result", "best", Depth.READ, _result),
    Order("findings", "findings", Depth.READ, _findings),
)


def ordered(rows: Sequence[RunRow], order: Order, *, reverse: bool = False) -> list[RunRow]:
    """Return the rows in an order, among equals by name; what is not known stands at the end either way."""
    named = sorted(rows, key=lambda row: _natural(row.name))
    keys = {row.path: order.key(row) for row in named}
    known = [row for row in named if keys[row.path] is not None]
    known.sort(key=lambda row: keys[row.path] or ())
    return [*(reversed(known) if reverse else known), *(row for row in named if keys[row.path] is None)]


def matching(rows: Sequence[RunRow], words: str) -> list[RunRow]:
    """Return the rows in which every word occurs, and no word that has a minus before it."""
    wanted = [word for word in words.lower().split() if word != "-"]
    if not wanted:
        return list(rows)
    return [row for row in rows if all(_occurs(word, text) for word in wanted for text in (text_of(row),))]


def text_of(row: RunRow) -> str:
    """Return what a filter looks at: name, state, findings and settings of a run, in lower case."""
    found = [part for finding in row.findings or () for part in (finding.code, finding.name, str(finding.severity))]
    settings = [f"{name}={value}" for name, value in row.settings.items()]
    return "\n".join((row.name, str(row.condition.state), *found, row.info.device, *settings)).lower()


def _occurs(word: str, text: str) -> bool:
    return word[1:] not in text if word.startswith("-") else word in text


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key by which run-9 comes before run-10.

    >>> sorted(["run-10", "run-9"], key=_natural)
    ['run-9', 'run-10']
    """
    parts = re.split(r"(\d+)", name.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
