"""A run as it was earlier: what its log held when a step had just been finished."""

from __future__ import annotations

import dataclasses

import numpy as np

from trainhealth.series import Columns, RunView, Series

# What a step's own record holds stands at the step's number; everything else, at the number of steps finished by then.
_OF_STEPS = frozenset({"train_loss", "train_accuracy", "gradient_norm", "learning_rate", "batch_size"})
_LOSS = "loss/"


def as_of(view: RunView, step: int) -> RunView:
    """Return the view that a reader had when `step` was the newest step; from the last one on, the whole view.

    What a view does not date is as it was in the end: what the hooks found out about the run (`facts`), its layout, the
    lines that could not be read. Steps that a resumed run did again are not there a first time.
    """
    if step >= view.last_step:
        return view
    finished = step + 1 if len(view.times) else step  # a log without steps counts its evaluations only
    scalars = {
        name: series.between(0, step if _is_of_steps(view, series) else finished)
        for name, series in view.scalars.items()
    }
    columns = {name: _rows(columns, step) for name, columns in view.columns_by_signal.items()}
    times = view.times.between(0, step)
    return dataclasses.replace(
        view,
        scalars={name: series for name, series in scalars.items() if len(series)},
        columns_by_signal={name: rows for name, rows in columns.items() if _has_begun(rows)},
        epochs=tuple(epoch for epoch in view.epochs if epoch.step <= finished),
        events=tuple(event for event in view.events if event.step <= finished),
        skipped_steps=view.skipped_steps[: np.searchsorted(view.skipped_steps, step, side="right")],
        dead_window={name: series.between(0, step) for name, series in view.dead_window.items()},
        sampling={name: series.between(0, step) for name, series in view.sampling.items()},
        times=times,
        by_rank={rank: as_of(one, step) for rank, one in view.by_rank.items()},
        resumed=tuple(resumed for resumed in view.resumed if resumed <= step),
        ended=None,
        error=None,
        last_time=float(times.values[-1]) if len(times) else view.last_time,
    )


def _is_of_steps(view: RunView, series: Series) -> bool:
    """Tell whether a series has values of steps, and not of the epochs' ends only."""
    of_epochs = sum(series.name in epoch.values for epoch in view.epochs)
    return (series.name in _OF_STEPS and len(series) > of_epochs) or series.name.startswith(_LOSS)


def _rows(columns: Columns, step: int) -> Columns:
    rows = int(np.searchsorted(columns.steps, step, side="right"))
    return dataclasses.replace(columns, steps=columns.steps[:rows], values=columns.values[:rows])


def _has_begun(columns: Columns) -> bool:
    """Tell whether a signal has a value yet: before its first one, its rows are NaN throughout."""
    values = columns.values
    return len(values) > 0 and bool(not np.isnan(values[-1]).all() or not np.isnan(values).all())
