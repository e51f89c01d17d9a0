"""The ReLU layers of a run and what is known of their dead units: how many, and whether they were ever alive."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trainhealth.records import LayerEntry
from trainhealth.rules.sampled import LATEST, usual_batch_size
from trainhealth.series import IntArray, RunView

_CAN_DIE = ("relu", "relu6", "threshold")  # exactly zero, with a gradient of zero, on half of the line
_RISEN = 0.25  # share of units by which a layer must have lost more than in its first window
_EXAMPLES = 500  # for none of which a unit of a whole layer fired
_BATCHES = 8  # as many as a window of dead_fraction holds at least


class ReluLayer(NamedTuple):
    """A ReLU: its place, when the dead units were last seen to fire (0: never), their share, and all its units."""

    place: str
    since: int
    dead: float
    units: int

    @property
    def died(self) -> bool:
        """Whether the dead units were alive once."""
        return self.since > 0


def relu_entries(run: RunView) -> tuple[LayerEntry, ...]:
    """Return the places whose units can die."""
    return tuple(entry for entry in run.layers if entry.activation in _CAN_DIE)


def relu_layers(run: RunView) -> tuple[ReluLayer, ...]:
    """Return the ReLU layers of which something is known yet.

    dead = the smaller one of the last two windows of dead_fraction (the only one, where there is one), or 1 if
    zero_fraction was 1 in the last 8 samples, or in the last 3 over half of the run: no unit fired in any of them, for
    some hundred examples. Units died if the share has risen by 0.25
    since the first window, which begins at step 0.
    """
    examined = (_examine(run, entry) for entry in relu_entries(run))
    return tuple(layer for layer in examined if layer)


def _examine(run: RunView, entry: LayerEntry) -> ReluLayer | None:
    units = entry.units or 0
    zeros = run.columns("zero_fraction").place(entry.name)
    fired = np.flatnonzero(zeros.values < 1.0)
    silent = len(zeros) - (int(fired[-1]) + 1 if len(fired) else 0)
    if silent >= _BATCHES or _silent_for_long(run, zeros.steps[len(zeros) - silent :]):
        return ReluLayer(entry.name, int(zeros.steps[fired[-1]]) if len(fired) else 0, 1.0, units)
    windows = run.columns("dead_fraction").place(entry.name)
    if not len(windows):
        return None
    first, now = float(windows.values[0]), float(min(windows.values[-2:]))
    good = np.flatnonzero(windows.values < first + _RISEN)
    died = len(good) > 0 and now - first >= _RISEN
    since = int(windows.steps[good[-1]]) if died else 0  # where the last good window ended, the next one began
    return ReluLayer(entry.name, since, now, units)


def _silent_for_long(run: RunView, steps: IntArray) -> bool:
    """Tell whether samples at these steps span half of the run and hold enough examples: in a short one they are few.

    That a whole layer is zero needs fewer examples than that one of its units is.
    """
    if len(steps) < LATEST:
        return False
    return bool(2 * (steps[-1] - steps[0]) >= run.last_step and len(steps) * usual_batch_size(run) >= _EXAMPLES)
