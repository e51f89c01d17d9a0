"""The weights of a model in order of execution, and how their gradients change with depth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trainhealth.rules.weights import of_weights
from trainhealth.series import Columns, FloatArray, IntArray, RunView

FEWEST = 4  # hidden weights in a row: fewer show no trend with depth


def by_depth(run: RunView, signal: str) -> Columns:
    """Return a signal of the trained weights in order of execution, without embeddings.

    An embedding's rows get a gradient only when they are looked up, so that its norm says nothing of depth. Weights of
    layers that were not seen to run come where the model declares them.
    """
    columns = of_weights(run, signal)
    owners = {entry.name: entry.layer for entry in run.parameters}
    executed: dict[str, int] = {}
    for index, layer in enumerate(run.layers):
        executed.setdefault(layer.name, index)
    lookups = {layer.name for layer in run.layers if "Embedding" in layer.type}
    chosen = [i for i, place in enumerate(columns.places) if owners[place] not in lookups]
    if all(owners[columns.places[i]] in executed for i in chosen):
        chosen.sort(key=lambda i: executed[owners[columns.places[i]]])
    places = tuple(columns.places[i] for i in chosen)
    return Columns(signal, columns.steps, places, columns.values[:, chosen])


class Slope(NamedTuple):
    """Relative gradients, norm of gradient over norm of weight, of the first and the last third of the weights.

    `steps` int64 [samples]; `first` and `last` float64 [samples] are medians over a third of the weights; `places` the
    weights in order of execution and `relative` float64 [places] their medians over the samples.
    """

    steps: IntArray
    first: FloatArray
    last: FloatArray
    places: tuple[str, ...]
    relative: FloatArray

    @property
    def ratio(self) -> FloatArray:
        """First third over last third, float64 [samples]; NaN where the last third has none."""
        return np.where(self.last > 0, self.first / np.where(self.last > 0, self.last, 1.0), np.nan)

    def until(self, last_step: int) -> Slope:
        """Return the part up to `last_step`."""
        end = int(np.searchsorted(self.steps, last_step + 1))
        return self._replace(steps=self.steps[:end], first=self.first[:end], last=self.last[:end])


def gradient_slope(run: RunView) -> Slope | None:
    """Return how the gradient changes over the hidden weights; None where fewer than `FEWEST` have norm and gradient.

    The output layer's is left out: few outputs make its norm small and its relative gradient large in any model.
    """
    gradients, norms = by_depth(run, "parameter_gradient_norm"), by_depth(run, "parameter_norm")
    if gradients.places != norms.places or not len(gradients):
        return None
    steps, of_gradients, of_norms = np.intersect1d(gradients.steps, norms.steps, return_indices=True)
    above, below = gradients.values[of_gradients].astype(np.float64), norms.values[of_norms].astype(np.float64)
    relative = np.where((below > 0) & np.isfinite(above), above / np.where(below > 0, below, 1.0), np.nan)
    known = np.atleast_1d(np.isfinite(relative).any(axis=0))
    known[np.flatnonzero(known)[-1:]] = False
    relative = relative[:, known]
    if relative.shape[1] < FEWEST:
        return None
    some = np.isfinite(relative).all(axis=1)
    steps, relative = steps[some], relative[some]
    if not len(steps):
        return None
    third = max(1, relative.shape[1] // 3)
    places = tuple(place for place, keep in zip(gradients.places, known, strict=True) if keep)
    first, last = np.median(relative[:, :third], axis=1), np.median(relative[:, -third:], axis=1)
    return Slope(steps, first, last, places, np.median(relative, axis=0))
