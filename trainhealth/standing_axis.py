"""Foreign logs whose axis never moves: every row is of epoch 0, or every value stands at one step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from trainhealth.readers.names import Axis, Meaning
from trainhealth.series import RunView, Series
from trainhealth.signals import SIGNALS

LEAST = 5  # values at one step that are more than a repetition


def with_rows_counted(view: RunView, meanings: Mapping[str, Meaning]) -> tuple[RunView, dict[str, Meaning]]:
    """Return the view, and new meanings for its columns, where all of its values stand at one step.

    Where a column of the log says so in every row (scripts that call a framework's training once an epoch write such),
    it is no axis, and rows are counted. Elsewhere the values are the results of as many trainings: no curve to judge.
    """
    measured = [len(view.scalars[column]) for column, meaning in meanings.items() if meaning.axis is None]
    steps = {int(step) for series in view.scalars.values() if len(series) for step in series.steps[[0, -1]]}
    if len(steps) != 1 or max(measured, default=0) < LEAST:
        return view, {}
    at = steps.pop()
    axes = [column for column, meaning in meanings.items() if meaning.axis in (Axis.STEP, Axis.EPOCH)]
    rows = max((len(view.scalars[column]) for column in axes), default=0)
    if {rows} == {*measured}:
        scalars = {name: Series(name, np.arange(rows), series.values) for name, series in view.scalars.items()}
        because = f"{at} in all {rows} rows: no axis, so that rows are counted"
        stand = {column: replace(meanings[column], because=because) for column in axes}
        return replace(view, scalars=scalars, epochs=()), stand
    because = f"not judged, because all {max(measured)} values stand at step {at}: a list of results, and no curve"
    return view, {
        column: Meaning(column, f"{column} (column)" if column in SIGNALS else column, because)
        for column, meaning in meanings.items()
        if meaning.axis is None and meaning.name in SIGNALS
    }
