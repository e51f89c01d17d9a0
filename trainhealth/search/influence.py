"""How much each setting matters: Sobol's indices of the response surface, and the evidence that it matters at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from trainhealth.search.surface import Surface, without

SURE = 5.0  # natural log of the likelihood ratio
LIKELY = 3.0  # of settings without any effect, about 3 in 100 reach it


@dataclass(frozen=True, slots=True)
class Influence:
    """One setting's part in what made trials better or worse (in ranks, over the values that were tried).

    `alone` is the share of the variance that it explains by itself, `total` with all that it does together with
    others; the shares are of signal and chance together. `evidence` is the natural log of the likelihood ratio
    between the surface with the setting and the best one without it.
    """

    name: str
    alone: float
    total: float
    evidence: float

    @property
    def matters(self) -> bool:
        """Whether there is more than chance to it."""
        return self.evidence >= LIKELY

    @property
    def sure(self) -> bool:
        """Whether it matters beyond doubt."""
        return self.evidence >= SURE


@dataclass(frozen=True, slots=True)
class Interaction:
    """What two settings do together beyond what each does alone: a share of the variance."""

    first: str
    second: str
    share: float


def influences(surface: Surface) -> tuple[tuple[Influence, ...], tuple[Interaction, ...]]:
    """Return the settings, the weightiest first, and the interactions that are worth a word."""
    shares = _Shares(surface)
    found = [
        Influence(
            axis.name,
            shares.alone(index),
            shares.total(index),
            max(surface.likelihood - without(surface, index).likelihood, 0.0),
        )
        for index, axis in enumerate(surface.axes)
    ]
    mattering = [index for index, influence in enumerate(found) if influence.matters]
    pairs = [
        Interaction(found[one].name, found[other].name, shares.together(one, other))
        for one, other in combinations(mattering, 2)
    ]
    return (
        tuple(sorted(found, key=lambda influence: (-influence.matters, -influence.total))),
        tuple(sorted(pairs, key=lambda pair: -pair.share)),
    )


class _Shares:
    """Sobol's indices in closed form.

    The mean surface is a sum over trials of products over settings, so that its mean over some settings, and the
    variance of that mean, are products of means of single kernels. Each setting is spread over the values tried of it,
    independently of the others.
    """

    def __init__(self, surface: Surface) -> None:
        weights = surface.weights * surface.signal
        kernels = [surface.kernel(index, surface.codes[:, index]) for index in range(len(surface.axes))]
        self._outer = np.outer(weights, weights)
        self._moments = [kernel.T @ kernel / len(kernel) for kernel in kernels]
        means = [kernel.mean(axis=0) for kernel in kernels]
        self._squares = [np.outer(mean, mean) for mean in means]
        self._mean = self._moment(())
        self._explained = self._moment(range(len(kernels))) - self._mean
        self._all = max(self._explained, 0.0) + surface.noise

    def _moment(self, kept: Sequence[int] | range) -> float:
        """Return the mean square of the surface after averaging over all settings but those in `kept`."""
        product = self._outer
        for index, (moment, square) in enumerate(zip(self._moments, self._squares, strict=True)):
            product = product * (moment if index in kept else square)
        return float(product.sum())

    def alone(self, index: int) -> float:
        """Return the share that a setting explains by itself."""
        return max(self._moment((index,)) - self._mean, 0.0) / self._all

    def total(self, index: int) -> float:
        """Return the share that a setting explains with all that it does together with others."""
        others = [other for other in range(len(self._moments)) if other != index]
        return max(self._explained - (self._moment(others) - self._mean), 0.0) / self._all

    def together(self, one: int, other: int) -> float:
        """Return the share that two settings explain beyond what each explains by itself."""
        joint = self._moment((one, other)) - self._mean
        return max(joint / self._all - self.alone(one) - self.alone(other), 0.0)
