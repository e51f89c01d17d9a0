"""Whole numbers that a model takes as sizes, where an embedding would look them up: the log holds no scale of them."""

from __future__ import annotations

import math
from typing import NamedTuple

from trainhealth.rules.base import number
from trainhealth.series import RunView

_SATURATED = 0.95  # of the 1 that a recurrent layer's outputs can reach: a fresh one does so on large inputs alone
_FRESH = 1  # the last step whose forward shows weights that hardly any update has changed
_RECURRENT = ("LSTM", "GRU", "RNN")


class Sizes(NamedTuple):
    """The first layer, and what its outputs showed of the numbers that enter it before anything was learnt."""

    layer: str
    signal: str
    step: int
    observed: float
    fact: str  # a clause: "{layer} …"


def taken_as_sizes(run: RunView, large: float) -> Sizes | None:
    """Return how whole numbers (no floating-point input was sampled) enter the first layer; None where they don't.

    One number an element of a sequence is a recurrent layer's input of size 1, and T numbers an example are T inputs of
    a linear layer: what was looked up, or made one-hot, has other sizes. That they are large, by root mean square at
    least `large`, is told by the outputs of the fresh layer.
    """
    shape = run.facts.get("input_shape")
    embedded = any("Embedding" in entry.type for entry in run.layers)
    if run.has("input_std") or not run.layers or embedded or not (isinstance(shape, list) and len(shape) == 2):
        return None
    first = run.layers[0]
    if first.type in _RECURRENT and _enters(run, first.name, [*shape, 1]):
        return _saturated(run, first.name)
    weight = next((entry for entry in run.parameters if entry.layer == first.name and len(entry.shape) == 2), None)
    if first.type != "Linear" or weight is None or weight.shape[1] != shape[1]:
        return None
    return _summed(run, first.name, weight.name, weight.shape[0], large)


def _enters(run: RunView, layer: str, shape: list[int]) -> bool:
    sequences = run.facts.get("sequences")
    known = [one for one in sequences if isinstance(one, dict)] if isinstance(sequences, list) else []
    return any(one.get("layer") == layer and one.get("shape") == shape for one in known)


def _saturated(run: RunView, layer: str) -> Sizes | None:
    step, largest = _first(run, "activation_maximum", layer)
    if not largest >= _SATURATED:
        return None
    fact = f"{layer} has outputs of {number(largest)}, saturated before anything is learnt"
    return Sizes(layer, "activation_maximum", step, largest, fact)


def _summed(run: RunView, layer: str, weight: str, units: int, large: float) -> Sizes | None:
    """Judge by what fresh weights w make of inputs x: sums of the root mean square |w| rms(x)."""
    step, deviation = _first(run, "activation_std", layer)
    sums = math.hypot(deviation, _first(run, "activation_mean", layer)[1])
    norm = _first(run, "parameter_norm", weight)[1] / math.sqrt(units)
    size = sums / norm if norm > 0 else math.nan
    if not large <= size < math.inf:
        return None
    return Sizes(
        layer, "activation_std", step, deviation, f"{layer} has sums as of inputs of {number(float(f'{size:.2g}'))}"
    )


def _first(run: RunView, signal: str, place: str) -> tuple[int, float]:
    """Return step and value of a place at the first sample; NaN where there is none, or weights have been trained."""
    columns = run.columns(signal)
    if not len(columns) or columns.steps[0] > _FRESH or place not in columns.places:
        return 0, math.nan
    return int(columns.steps[0]), float(columns.values[0, columns.places.index(place)])
