"""Text that calls nothing a loss and has one number a line: that is read as the loss, and the report says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from trainhealth.error_losses import KINDS
from trainhealth.readers.names import Meaning, Names, adversary, of_reinforcement
from trainhealth.series import RunView, Series
from trainhealth.signals import SIGNALS

ERRORS = (*KINDS, "error")  # in the order in which they are likely to be what was minimised
ASSUMED = "assumed, since nothing in the log is called a loss"


def nameless(number: int) -> str:
    """Return what a column of bare numbers is called, from 1; ``--map train_loss='column 2'`` says what it is."""
    return f"column {number}"


NAMELESS = nameless(2)  # the one behind the step


def of_lone_numbers(view: RunView, meanings: Mapping[str, Meaning], names: Names) -> dict[str, Meaning]:
    """Return a new meaning for the number that stands alone behind a step or an epoch, where no signal of a split does.

    Bare numbers that may as well be accuracies are nothing: whether they should fall or rise nobody knows.
    """
    said = {meaning.name for meaning in meanings.values()} | names.chosen.keys()
    if view.format != "text" or any(name.endswith(("_loss", "_accuracy")) for name in said & SIGNALS.keys()):
        return {}
    if any(of_reinforcement(column) or adversary(column) for column in meanings):
        return {}
    kinds = {column.lower(): column for column in meanings}
    column = next((kinds[kind] for kind in (*ERRORS, NAMELESS) if kind in kinds), None)
    if column is None or (column == NAMELESS and may_be_accuracy(view.scalars[column])):
        return {}
    return {column: replace(meanings[column], name="train_loss", because=ASSUMED, guessed=True)}


def may_be_accuracy(series: Series) -> bool:
    """Tell whether values begin low and rise within what an accuracy can be, a fraction or per cent."""
    values = series.values
    return bool(len(values) and (values >= 0).all() and (values <= 100).all() and values[0] < np.median(values))
