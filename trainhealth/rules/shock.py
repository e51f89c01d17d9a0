"""The traces that first updates which were too large leave in a run whose loss then stands still."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trainhealth.rules import breakdown
from trainhealth.rules.base import number
from trainhealth.rules.breakdown import EXPLOSION, SETTLING, Breakdown
from trainhealth.rules.chance import Chance, chance_level
from trainhealth.rules.dead_units import relu_layers
from trainhealth.rules.optimizers import largest
from trainhealth.rules.weights import growth, leap, start_size
from trainhealth.series import RunView, Series

OVERTHROW = 1.0  # an update as large as the weights: one is enough
_EARLY = 16  # steps: later, what the first updates did is done
_LEAP = 64  # steps: to grow fourfold in these, weights change by 2 % at each
_TINY = 0.1  # share of Xavier's size: of such weights every update is a large one
_DECAYED = 0.3  # share of their first norm to which weights have shrunk
_DROWNED = 0.9  # dropout probability: its noise has ten times the signal's variance, and train_loss tells little


class Limits(NamedTuple):
    """What counts: the options of learning-rate-too-high, which say what they mean."""

    ratio: float
    stalled: float
    stalled_after_shock: float
    died: float
    growth: float


def standstill(run: RunView, ratios: Series, limits: Limits) -> tuple[Breakdown, str] | None:
    """Return how the loss stands still after large first updates, and their trace as a clause; None where it does not.

    Ratios are large, too, of weights that were tiny when they were drawn, and weights that decay to nothing move all
    the time: neither is the rate's doing, and nor is a training loss under dropout that leaves next to nothing.
    """
    large = np.count_nonzero(ratios.values >= limits.ratio) >= 2 or ratios.values.max(initial=0.0) >= OVERTHROW
    large = large or leap(run, _LEAP) >= limits.growth  # of most steps no ratio was sampled
    if len(ratios) and (not large or start_size(run) <= _TINY or _decayed(run) or _drowned(run)):
        return None
    trace = _in_loss(run) or _in_units(run, limits)
    stuck = breakdown.never_learnt(run, _poor(run, limits) if trace else limits.stalled)
    if stuck is not None and not trace and len(ratios):
        trace = _in_weights(run, stuck, ratios, limits)
    return (stuck, trace) if stuck is not None and trace else None


def _decayed(run: RunView) -> bool:
    return largest(run, "weight_decay") > 0 and growth(run) <= _DECAYED


def _drowned(run: RunView) -> bool:
    dropout = run.facts.get("dropout")
    return isinstance(dropout, int | float) and dropout >= _DROWNED


def _poor(run: RunView, limits: Limits) -> float:
    """Return the level, as a share of the untrained loss, at which a loss that has exploded before counts as poor.

    How low a squared error can get depends on the noise of the targets, and how well a text can be foreseen on the
    text; classes are rarely that noisy.
    """
    chance = chance_level(run)
    noisy = not isinstance(chance, Chance) or chance.function == "mse" or run.facts.get("task") == "language"
    return limits.stalled if noisy else limits.stalled_after_shock


def _in_loss(run: RunView) -> str:
    """Return, as a clause, how far the first updates threw the loss; empty if it is no explosion.

    Batches whose losses differ by as much later on have thrown nothing.
    """
    losses = run.series("train_loss").finite().values
    highest, later = float(losses[:SETTLING].max(initial=0.0)), losses[SETTLING:]
    usual = float(np.quantile(later, 0.98)) if len(later) else 0.0
    exploded = highest > 0 and highest >= EXPLOSION * max(float(losses[0]), usual)
    return f", having risen to {number(highest)} within the first {SETTLING}" if exploded else ""


def _in_units(run: RunView, limits: Limits) -> str:
    """Return, as a clause, how many units of the worst ReLU layer died; empty where they did not."""
    died = [layer for layer in relu_layers(run) if layer.died and layer.dead >= limits.died]
    worst = max(died, key=lambda layer: layer.dead, default=None)
    return f", and {100 * worst.dead:.0f} % of the units of {worst.place} have died" if worst else ""


def _in_weights(run: RunView, stuck: Breakdown, ratios: Series, limits: Limits) -> str:
    """Return, as a clause, what the first updates made of the weights; empty where they left no trace."""
    grown = growth(run)
    if grown >= limits.growth:
        return f", while the weights grew {number(round(grown, 1))}-fold"
    if stuck.kind != "stuck":
        return ""
    if stuck.observed >= 1.2 * float(run.series("train_loss").finite().values[0]):
        return ", worse than before training"
    early, late = ratios.between(1, _EARLY).values, ratios.values[-3:]
    stopped = len(early) and np.median(late) <= 0.01 * np.median(early)
    return ", and the weights have stopped moving" if stopped else ""
