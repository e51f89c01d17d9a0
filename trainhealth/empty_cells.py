"""Tables in which the loss's cells are empty from some row on while the rows go on: pandas writes NaN so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from trainhealth.readers.names import Meaning
from trainhealth.series import Epoch, RunView, Series
from trainhealth.signals import SIGNALS

FORMATS = frozenset(("csv", "json", "jsonl"))  # that pandas writes; loggers write NaN as such
LEAST = 3  # empty cells that are no rest of a table


def with_nan_restored(view: RunView, meanings: Mapping[str, Meaning]) -> tuple[RunView, dict[str, Meaning]]:
    """Return the view with NaN where train_loss is missing to the end, and a new meaning that says so.

    That is where another signal has had its values in the same rows as the loss, and goes on for `LEAST` rows without
    it: a table of two kinds of rows, say of training and of evaluation, has none such.
    """
    losses = [column for column, meaning in meanings.items() if meaning.name == "train_loss"]
    if view.format not in FORMATS or len(losses) != 1:
        return view, {}
    [column] = losses
    loss = view.scalars[column]
    others = (c for c, meaning in meanings.items() if c != column and meaning.axis is None and meaning.name in SIGNALS)
    missing = max(((_missing(loss, view.scalars[other]), other) for other in others), default=(0, ""))
    count, other = missing
    if count < LEAST:
        return view, {}
    steps = view.scalars[other].steps
    restored = Series(column, steps, np.concatenate([loss.values, np.full(count, np.nan)]))
    first = int(steps[-count])
    epochs = tuple(
        Epoch(epoch.number, epoch.step, {column: np.nan, **epoch.values}) if epoch.step >= first else epoch
        for epoch in view.epochs
    )
    meaning = meanings[column]
    because = f"{meaning.because}; empty from step {first} on, where {other} goes on, and so read as NaN"
    whole = replace(view, scalars={**view.scalars, column: restored}, epochs=epochs)
    return whole, {column: replace(meaning, because=because)}


def _missing(loss: Series, other: Series) -> int:
    """Return how many values `other` has behind the last one of the loss; 0 where it was not logged with the loss."""
    shared = len(loss)
    if not 0 < shared < len(other) or not np.array_equal(loss.steps, other.steps[:shared]):
        return 0
    return len(other) - shared
