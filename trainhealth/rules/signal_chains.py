"""Chains of activation functions along which the signal fades or grows, from the first sample's spread."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from trainhealth.records import LayerEntry
from trainhealth.series import Columns, FloatArray, RunView

BOUNDED = ("tanh", "sigmoid", "hardtanh", "hardsigmoid")
UNBOUNDED = ("relu", "leaky_relu", "relu6", "gelu", "silu", "elu", "softplus")
FEWEST = 3  # functions in a chain: fewer show no geometric change
_AT_A_BLOW = 0.7  # share of the whole change: what one layer does alone is not depth's doing


class Chain(NamedTuple):
    """Activation functions of one kind behind one another, and the std of their outputs at the first sample."""

    function: str
    places: tuple[str, ...]
    layers: tuple[str, ...]  # that feed them
    stds: FloatArray

    @property
    def fall(self) -> float:
        """By what factor the std falls from the first to the last; below 1 where it grows."""
        return float(self.stds[0] / self.stds[-1]) if self.stds[-1] > 0 else math.inf

    @property
    def growth(self) -> float:
        """By what factor the std grows from the first to the last."""
        return float(self.stds[-1] / self.stds[0])


def spread(run: RunView) -> Columns:
    """Return the signal's std a layer: over examples where the log has that, which biases can't keep up."""
    return run.columns("example_std") if run.has("example_std") else run.columns("activation_std")


def fading_chains(run: RunView) -> Iterable[Chain]:
    """Yield the chains whose std falls at the first sample: in at least half of the layers, and in none at a blow."""
    return (chain for chain in _chains(run, BOUNDED + UNBOUNDED) if _geometric(-_steps(chain)))


def growing_chains(run: RunView) -> Iterable[Chain]:
    """Yield the chains of unbounded functions whose std grows likewise; one that overflows in the end does so, too."""
    return (chain for chain in _chains(run, UNBOUNDED) if _geometric(_steps(chain)))


def _chains(run: RunView, functions: Iterable[str]) -> Iterable[Chain]:
    columns = spread(run)
    if not len(columns):
        return
    first = dict(zip(columns.places, columns.values[0].astype(np.float64), strict=True))
    for piece in _between_norms(run.layers):
        for function in functions:
            links = [e for e in piece if e.activation == function and math.isfinite(first.get(e.name, math.nan))]
            stds = np.array([first[entry.name] for entry in links])
            if len(links) >= FEWEST and stds[0] > 0:
                yield Chain(function, tuple(e.name for e in links), tuple(e.fed_by or "" for e in links), stds)


def _between_norms(layers: Iterable[LayerEntry]) -> Iterable[list[LayerEntry]]:
    """Yield the stretches of places between normalisation layers, which set the signal to a std of their own."""
    piece: list[LayerEntry] = []
    for entry in layers:
        if "Norm" in entry.type:
            yield piece
            piece = []
        else:
            piece.append(entry)
    yield piece


def _steps(chain: Chain) -> FloatArray:
    """Return by how much the logarithm of the std changes from each function to the next, float64 [functions - 1]."""
    return np.diff(np.log(np.maximum(chain.stds, np.finfo(np.float32).tiny)))


def _geometric(changes: FloatArray) -> bool:
    """Tell whether the changes go one way in most layers, and in none at a blow, as where all units of it are dead."""
    total = float(changes.sum())
    return total > 0 and float(np.mean(changes > 0)) >= 0.5 and float(changes.max()) <= _AT_A_BLOW * total
