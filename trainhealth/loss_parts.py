"""Losses of which a log holds the parts and not the whole (a detector's): their sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce

import numpy as np

from trainhealth.records import EventRecord
from trainhealth.series import Epoch, RunView, Series

COLUMN = "column"  # name of the events that say how a column was understood


def with_sums(view: RunView, parts: Mapping[str, tuple[str, str]]) -> RunView:
    """Return the view with the losses that it lacks as the sums of their parts.

    `parts` says of columns which loss they belong to, and as which part. A loss of one part only is none; and where
    validation has other parts than training, only training's are summed: the two could not be compared. A sum of zero
    is none either: Ultralytics logs zeros for an epoch that it does not validate.
    """
    of: dict[str, dict[str, str]] = {}  # loss -> part -> column
    for column, (loss, part) in parts.items():
        of.setdefault(loss, {}).setdefault(part, column)
    lacking = {loss: list(columns.values()) for loss, columns in of.items() if loss not in view.scalars}
    lacking = {loss: columns for loss, columns in lacking.items() if len(columns) > 1}
    if "train_loss" in lacking and "validation_loss" in lacking and {*of["train_loss"]} != {*of["validation_loss"]}:
        del lacking["validation_loss"]
    sums = {loss: _sum(loss, [view.scalars[column] for column in columns]) for loss, columns in lacking.items()}
    lacking = {loss: columns for loss, columns in lacking.items() if len(sums[loss])}
    if not lacking:
        return view
    events = tuple(_event(view, loss, columns) for loss, columns in lacking.items())
    return replace(
        view,
        scalars={**view.scalars, **{loss: sums[loss] for loss in lacking}},
        epochs=tuple(Epoch(e.number, e.step, {**e.values, **_sums_of(e.values, lacking)}) for e in view.epochs),
        events=(*events, *view.events),
    )


def _sum(name: str, parts: list[Series]) -> Series:
    """Return the sum at the steps at which all parts have a value (of several at one step the last)."""
    steps = reduce(np.intersect1d, [part.steps for part in parts])
    rows = [part.values[np.searchsorted(part.steps, steps, side="right") - 1] for part in parts]
    with np.errstate(invalid="ignore"):  # infinities of both signs have no sum: NaN
        whole = np.sum(rows, axis=0)
    return Series(name, steps[whole != 0], whole[whole != 0])


def _sums_of(values: Mapping[str, float], lacking: Mapping[str, list[str]]) -> dict[str, float]:
    sums = {
        loss: sum(values[column] for column in columns)
        for loss, columns in lacking.items()
        if all(column in values for column in columns)
    }
    return {loss: whole for loss, whole in sums.items() if whole != 0}


def _event(view: RunView, loss: str, columns: list[str]) -> EventRecord:
    whole, because = " + ".join(columns), "their sum, since no column holds the whole"
    data = {"column": whole, "signal": loss, "because": because}
    return EventRecord(
        step=0, time=view.last_time, event=COLUMN, message=f"{whole} is read as {loss}: {because}", data=data
    )
