"""How far a training loss has come from that of a model that knows nothing, and how well the model does by now."""

from __future__ import annotations

import math

import numpy as np

from trainhealth.rules.breakdown import untrained_loss
from trainhealth.series import FloatArray, RunView, Series

STEPS = 100  # Opt, step 3: a good learning rate makes the loss drop within about 100 iterations
FOLLOWING = 2 * STEPS  # values one after another, which are hardly epochs any more
EPOCHS = 8  # values of a log by epoch: two thirds of the lecture's ten, which tell by the eye


def too_short(run: RunView, losses: Series, steps: int = STEPS, epochs: int = EPOCHS) -> str | None:
    """Return why there is too little to judge; None where there is enough.

    Where a value may stand for a step, for fifty, or for an epoch, the number of values decides, and how much they say
    is left to their noise.
    """
    needed = steps if by_step(run) else epochs
    return few_values(run, losses, needed) if len(losses) < needed else None


def few_values(run: RunView, losses: Series, needed: int) -> str:
    """Return why `losses`, the finite values of train_loss, are too few: the run is short, or most are not finite."""
    number, logged = len(losses), len(run.series("train_loss"))
    if number < needed <= logged:
        return f"only {number} of {logged:,} values of train_loss {'is' if number == 1 else 'are'} finite"
    return f"the run is too short to tell: {number} value{'' if number == 1 else 's'} of train_loss"


def by_epoch(run: RunView) -> bool:
    """Tell whether a value of train_loss stands for an epoch: batches' own noise has been averaged out of it."""
    return len(run.series("train_loss")) <= len(run.epochs)


def by_step(run: RunView) -> bool:
    """Tell whether a value of train_loss surely stands for one step.

    So it does where the training was watched. In other tools' logs, whose steps may count epochs or lines, it takes
    `FOLLOWING` values at steps that follow one another.
    """
    if by_epoch(run):
        return False
    steps = run.series("train_loss").steps
    return run.watched or (len(steps) >= FOLLOWING and float(np.median(np.diff(steps))) == 1)


def epochs_of_one_step(run: RunView) -> bool:
    """Tell whether the whole training set is one batch: then a value for each epoch is one for each step."""
    return run.watched and run.last_step < len(run.epochs)


def first_level(values: FloatArray) -> float:
    """Return the level at which a curve began: the median of its first three values; NaN for none."""
    return float(np.median(values[:3])) if len(values) else math.nan


def last_level(values: FloatArray) -> float:
    """Return the level at which a curve ended: the median of its last tenth, at least three values; NaN for none."""
    return float(np.median(values[-max(3, len(values) // 10) :])) if len(values) else math.nan


def share_left(run: RunView, level: float) -> float:
    """Return `level` as a share of the loss of a model that knows nothing; NaN where it has no meaning.

    So it is where a loss may be negative (a log-likelihood), and where the first one is zero.
    """
    untrained = untrained_loss(run)
    finite = run.series("train_loss").finite().values
    return level / untrained if len(finite) and finite.min() >= 0 and untrained > 0 else math.nan


def accuracy(run: RunView) -> float:
    """Return the best accuracy at the end of the run, as a fraction, of what is logged; NaN for none."""
    ends = [last_level(run.series(name).finite().values) for name in ("train_accuracy", "validation_accuracy")]
    known = [end / 100 if end > 1 else end for end in ends if not math.isnan(end)]  # some logs are in per cent
    return max(known, default=math.nan)


def has_learnt(run: RunView) -> bool:
    """Tell whether the training loss has come to half of that of a model that knows nothing."""
    losses = run.series("train_loss").finite().values
    return len(losses) > 0 and share_left(run, last_level(losses)) < 0.5
