"""Where the best settings lie, and how sure that is: the place of the maximum of surfaces drawn from the posterior.

A surface that is drawn from the Gaussian process is one that the trials leave possible; the places of the maxima of
many of them (Thompson 1933; in this use, Hennig and Schuler 2012) are the distribution of the best settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from trainhealth.search.axes import Axis
from trainhealth.search.surface import Surface
from trainhealth.series import FloatArray

DRAWN = 400  # surfaces
_SPREAD = 600  # candidates over the whole box
_NEAR = 400  # candidates around the best trials
EDGE = 0.1  # share of the range that is its edge
FAR = 0.3  # of the range: what lies further from an end is not near it
_RESOLVED = 0.02  # of the range: the candidates lie no denser
_JITTER = 1e-6


@dataclass(frozen=True, slots=True)
class Region:
    """Where one setting's best value lies.

    `low` and `high` are the coordinates between which it lies in 8 of 10 possible surfaces, `at_low` and `at_high` the
    shares in which it lies in the outer tenth at an end. `better_low` and `better_high` are how much higher the surface
    is in that tenth than anywhere far from it, in standard deviations of this difference over the possible surfaces: on
    a plateau that reaches to the end it is not. Words have `shares` instead, by word.
    """

    axis: Axis
    low: float = 0.0
    high: float = 1.0
    at_low: float = 0.0
    at_high: float = 0.0
    better_low: float = 0.0
    better_high: float = 0.0
    shares: Mapping[str, float] = field(default_factory=dict)


def regions(surface: Surface) -> tuple[Region, ...]:
    """Return the region of the best value of every setting of the surface."""
    candidates = _candidates(surface)
    mean, covariance = surface.posterior(candidates)
    factor = _root(covariance)
    drawn = mean[:, None] + factor @ np.random.default_rng(0).standard_normal((len(mean), DRAWN))
    places = candidates[np.argmax(drawn, axis=0)]
    found = (_region(axis, places[:, index]) for index, axis in enumerate(surface.axes))
    return tuple(
        region
        if region.shares
        else replace(
            region,
            better_low=_better(drawn, candidates[:, index]),
            better_high=_better(drawn, np.where(candidates[:, index] < 0, -1.0, 1.0 - candidates[:, index])),
        )
        for index, region in enumerate(found)
    )


def _better(drawn: FloatArray, distance: FloatArray) -> float:
    """Return how much higher surfaces are at an end than far from it; `distance` from it is negative where unknown."""
    near, far = drawn[(distance >= 0) & (distance <= EDGE)], drawn[distance >= FAR]
    if not len(near) or not len(far):
        return 0.0
    differences = near.max(axis=0) - far.max(axis=0)
    spread = float(differences.std())
    return float(differences.mean()) / spread if spread > 0 else 0.0


def _region(axis: Axis, places: FloatArray) -> Region:
    if axis.kind == "words":
        shares = {word: float(np.mean(places == number)) for number, word in enumerate(axis.words)}
        return Region(axis, shares=shares)
    known = places[places >= 0]  # where the best trials have no such setting, it has no best value
    if not len(known):
        return Region(axis)
    low, high = max(np.quantile(known, 0.1) - _RESOLVED, 0.0), min(np.quantile(known, 0.9) + _RESOLVED, 1.0)
    return Region(axis, float(low), float(high), float(np.mean(known <= EDGE)), float(np.mean(known >= 1 - EDGE)))


def _candidates(surface: Surface) -> FloatArray:
    """Return the points among which the maximum is looked for: the trials, points around the best, and the box."""
    random = np.random.default_rng(1)
    best = surface.codes[np.argsort(-surface.goodness)[: max(len(surface.codes) // 5, 5)]]
    near, count = best[random.integers(len(best), size=_NEAR)], len(surface.axes)
    changed = random.integers(2 * count, size=_NEAR)  # one setting alone in half of them, all in the others
    columns = []
    for index, axis in enumerate(surface.axes):
        tried = surface.codes[:, index]
        if axis.kind == "words":
            spread = random.choice(np.unique(tried), _SPREAD)
            around = np.where(changed == index, random.choice(np.unique(tried), _NEAR), near[:, index])
        else:
            spread = np.where(random.random(_SPREAD) < np.mean(tried < 0), -1.0, random.random(_SPREAD))
            moved = np.clip(near[:, index] + random.normal(0, 0.1, _NEAR), 0.0, 1.0)
            moved = np.where(changed < count, near[:, index], moved)
            moved = np.where(changed == index, random.random(_NEAR), moved)
            around = np.where(near[:, index] < 0, near[:, index], moved)
        columns.append(np.concatenate([tried, around, spread]))
    return np.stack(columns, axis=1)


def _root(covariance: FloatArray) -> FloatArray:
    """Return a factor of a covariance that rounding may have made slightly indefinite."""
    values, vectors = np.linalg.eigh(covariance + _JITTER * np.eye(len(covariance)))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)), np.float64)
