"""How long a run will take: how many steps are planned, and how fast they go with all evaluations between them."""

from __future__ import annotations

import math

import numpy as np

from trainhealth.series import RunView

# what scripts call the number of epochs that they are going to train
_EPOCHS = ("epochs", "num_epochs", "max_epochs", "n_epochs", "num_train_epochs")
_RECENT = 0.5  # of the steps so far: what the mean speed is taken over
_LEAST = 100  # steps of that, where there are so many


def planned_epochs(view: RunView) -> int | None:
    """Return how many epochs the hyperparameters plan; None where they do not say."""
    for name in _EPOCHS:
        epochs = view.info.hyperparameters.get(name)
        if isinstance(epochs, int | float) and not isinstance(epochs, bool) and 1 <= epochs < math.inf:
            return round(epochs)
    return None


def planned_steps(view: RunView) -> int | None:
    """Return how many steps are planned: as the script says, or by its epochs once one has ended; None if unknown."""
    if view.info.total_steps:
        return view.info.total_steps
    epochs = planned_epochs(view)
    if epochs is None or not view.epochs or view.epochs[-1].step <= 0:
        return None
    return round(view.epochs[-1].step / (view.epochs[-1].number + 1) * epochs)


def seconds_left(view: RunView) -> float:
    """Return how long the planned steps will take at the pace of late, evaluations and all; NaN while unknown."""
    planned, times = planned_steps(view), view.times
    if planned is None or len(times) < 2:
        return math.nan
    # what a resumed run has done before, and the night between, tell nothing of its pace
    begin = int(np.searchsorted(times.steps, view.resumed[-1])) if view.resumed else 0
    count = len(times) - begin
    first = len(times) - max(round(_RECENT * count), min(_LEAST, count))
    steps = int(times.steps[-1] - times.steps[first])
    seconds = float(times.values[-1] - times.values[first])
    if steps <= 0 or seconds <= 0:
        return math.nan
    return max(planned - 1 - int(times.steps[-1]), 0) * seconds / steps
