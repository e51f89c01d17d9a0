"""How far a curve would come if it went on: by thirds of what it did last, or by powers of time."""

from __future__ import annotations

import math

import numpy as np

from trainhealth import curves
from trainhealth.series import FloatArray, RunView, Series

_EVALUATIONS = 4  # in the last half: the fewest that can show a trend


def expected_gain(thirds: FloatArray) -> float:
    """Return what three more parts would bring if each gains a constant share of what the one before gained.

    Gains that grow are not carried on: their mean is.
    """
    earlier, last = float(thirds[0] - thirds[1]), float(thirds[1] - thirds[2])
    pace = min(last, (earlier + last) / 2)  # a last part that was better than the one before may have been luck
    if pace <= 0:
        return 0.0
    share = min(last / earlier, 1.0) if earlier > 0 else 1.0
    gain = pace * (share + share**2 + share**3)
    return min(gain, float(thirds[2]) / 2) if thirds[2] >= 0 else gain  # what is not negative stays so


def twice_as_far(losses: Series, steps: int) -> tuple[float, float]:
    """Return the loss at half of `steps`, and what twice as many would bring, by its powers of time."""
    passed, levels = np.log(losses.steps.astype(np.float64) + 1), np.log(losses.values)
    half = float(np.interp(math.log(steps / 2), passed, levels))
    latest = float((levels[-1] - levels[-2]) / (passed[-1] - passed[-2]))
    factor = max(float(levels[-1]) - half, latest * math.log(2))
    return math.exp(half), math.exp(float(levels[-1]) + factor)


def validation_follows(run: RunView, train: FloatArray) -> bool:
    """Tell whether validation_loss falls at least half as fast as train_loss at the end; True where nobody knows."""
    late = curves.clean(run.series("validation_loss")).between(run.last_step // 2, run.last_step + 1).values
    if len(late) < _EVALUATIONS:
        return True
    middle, now = (float(np.median(part)) for part in np.array_split(late, 3)[1:])
    return (middle - now) / middle >= 0.5 * (train[1] - train[2]) / train[1] if middle > 0 else True
