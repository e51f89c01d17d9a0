"""Epochs of a log that counts steps: where they end follows from the column that names each row's epoch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trainhealth.readers.names import Axis, Meaning
from trainhealth.series import Epoch, RunView, Series

LEAST = 4  # values of train_loss an epoch: with fewer nobody knows whether they are of steps or of epochs


def epochs_beside_steps(view: RunView, meanings: Mapping[str, Meaning]) -> tuple[Epoch, ...]:
    """Return the epochs of a view whose train_loss stands at every step; none where that is not so.

    An epoch ends where a row is of the next one. The last has ended if it has as many steps as most before it.
    """
    columns = [column for column, meaning in meanings.items() if meaning.axis is Axis.EPOCH]
    losses = [column for column, meaning in meanings.items() if meaning.name == "train_loss"]
    if view.epochs or len(columns) != 1 or not losses:
        return view.epochs
    steps = max((view.scalars[column] for column in losses), key=len).steps
    ends = _ends(view.scalars[columns[0]], int(steps[-1]) + 1) if len(steps) > 1 else []
    if len(ends) * LEAST > len(steps) or np.any(np.diff(steps) != 1):
        return ()
    return tuple(Epoch(number, end, {}) for number, end in enumerate(ends))


def _ends(epochs: Series, finished: int) -> list[int]:
    """Return how many steps were finished when each epoch ended; none where its numbers jump, or are of parts."""
    numbers = epochs.values
    rises = np.diff(numbers)
    if not np.isfinite(numbers).all() or (numbers != np.floor(numbers)).any() or not np.isin(rises, (0, 1)).all():
        return []
    ends: list[int] = epochs.steps[1:][rises == 1].tolist()
    begun = ends[-1] if ends else finished
    if ends and finished - begun >= float(np.median(np.diff([int(epochs.steps[0]), *ends]))):
        ends.append(finished)
    return ends
