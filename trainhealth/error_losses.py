"""Logs of regressions that call no column a loss: the error that was minimised stands there as ``train_mse``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from trainhealth.readers.names import Meaning, Names, adversary, words_of

KINDS = ("mse", "bce", "mae", "rmse")  # in the order in which they are likely to be what was minimised


def of_errors(meanings: Mapping[str, Meaning], names: Names) -> dict[str, Meaning]:
    """Return new meanings for the errors of training and validation where the log holds no loss.

    Of several kinds the first is taken, for all splits the same: a gap between an MSE and an MAE says nothing. One
    that does not name its split, and one beside a loss, is a metric.
    """
    if any(meaning.name.endswith("_loss") or adversary(meaning.column) for meaning in meanings.values()):
        return {}
    for kind in KINDS:
        found = {column: meaning for column in meanings if (meaning := _as_loss(column, kind, names)) is not None}
        if any(meaning.name == "train_loss" for meaning in found.values()):
            return found
    return {}


def error_of(column: str, names: Names) -> Meaning | None:
    """Return what a column would mean if the error that it is called after were the loss; None where it is no error.

    >>> names = Names()
    >>> [error and error.name for error in (error_of(column, names) for column in ("val MSE", "mse", "train_loss"))]
    ['validation_loss', None, None]
    """
    return next((found for kind in KINDS if (found := _as_loss(column, kind, names)) is not None), None)


def signal_of(column: str, names: Names) -> str:
    """Return the signal that a column means or, named after an error, may turn out to mean; else its own name."""
    name = names.meaning(column).name
    error = error_of(column, names) if name == column else None
    return name if error is None else error.name


def _as_loss(column: str, kind: str, names: Names) -> Meaning | None:
    """Return what a column would mean if its kind of error were called a loss; None where it is no such error."""
    words = words_of(column)
    if words.count(kind) != 1:
        return None
    meaning = names.meaning("_".join("loss" if word == kind else word for word in words))
    if meaning.guessed or not meaning.name.endswith("_loss"):
        return None
    return replace(meaning, column=column, because="there is no other loss")
