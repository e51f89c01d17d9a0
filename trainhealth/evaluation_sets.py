"""Several evaluation sets in one log: which of them is the validation that decides, the log does not say.

Hugging Face's Trainer logs ``eval_<set>_loss`` beside ``eval_<set>_runtime`` where `eval_dataset` is a dictionary;
Lightning appends ``/dataloader_idx_<number>`` where there are several loaders.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from trainhealth.readers.names import Meaning, Names

_LOADER = re.compile(r"(?P<bare>.+)/dataloader_idx_(?P<set>\d+)")
_TRAINERS = re.compile(r"(?P<split>eval[_/])(?P<set>.+)_(?P<quantity>[a-z]+)")
_TIMED = "runtime"  # what the Trainer logs of every set
_SHOWN = 6  # names of sets


def of_evaluation_sets(meanings: Mapping[str, Meaning], names: Names) -> dict[str, Meaning]:
    """Return new meanings for the columns of evaluation sets that have names, where no column is plainly validation's.

    A single set is the validation; of several none is taken, and the user is told how to choose.
    """
    said = {meaning.name for meaning in meanings.values()}
    found: dict[str, dict[str, str]] = defaultdict(dict)  # signal -> set -> column
    for column in meanings:
        place = _set_of(column, meanings)
        if place is None:
            continue
        bare, name = place
        signal = names.meaning(bare).name
        if signal.startswith("validation_") and signal not in said:
            found[signal].setdefault(name, column)
    changed: dict[str, Meaning] = {}
    for signal, columns in found.items():
        first = next(iter(columns))
        if len(columns) == 1:
            because = f"of the only evaluation set, {first!r}"
            changed[columns[first]] = replace(meanings[columns[first]], name=signal, because=because)
            continue
        listed = ", ".join([*columns][:_SHOWN]) + (", …" if len(columns) > _SHOWN else "")
        for name, column in columns.items():
            because = (
                f"the evaluation set {name!r}, one of {len(columns)} ({listed}): which is the validation is not known; "
                f"--map {signal}={columns[first]} would choose"
            )
            changed[column] = Meaning(column, column, because)
    return changed


def _set_of(column: str, columns: Mapping[str, object]) -> tuple[str, str] | None:
    """Return a column's name without its evaluation set, and that set; None where it names none."""
    if loader := _LOADER.fullmatch(column.strip()):
        return loader["bare"], loader["set"]
    trainers = _TRAINERS.fullmatch(column.strip())
    if trainers is None or f"{trainers['split']}{trainers['set']}_{_TIMED}" not in columns:
        return None
    return f"{trainers['split']}{trainers['quantity']}", trainers["set"]
