"""A response surface over the settings: Gaussian-process regression on the normal scores of the trials.

The kernel is a product of Matérn 5/2 kernels, one a setting, each with a length of its own: a setting whose length is
long against its range does not matter. Lengths, signal and noise are those of the largest posterior density (Rasmussen
and Williams 2006, chapters 2, 4.2 and 5.4); the prior of the lengths is that of Hvarfner, Hellsten and Nardi (2024).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trainhealth.search.axes import Axis
from trainhealth.series import FloatArray

_LENGTH_PRIOR = math.sqrt(2), math.sqrt(3)  # mean (plus half the log of the number of settings) and sd of log length
_SIGNAL_PRIOR = 0.0, 1.0  # mean and sd of the log of the signal's variance: scores have variance 1
_NOISE_PRIOR = -2.0, 1.5
_BOUND = 12.0  # of every logarithm
_JITTER = 1e-6
_STEPS = 80  # of the optimiser


@dataclass(frozen=True)
class Surface:
    """The fitted model: `codes` float64 [n, d] coordinates of the trials, `goodness` float64 [n]."""

    axes: tuple[Axis, ...]
    codes: FloatArray
    goodness: FloatArray
    lengths: FloatArray  # [d], in units of the range
    signal: float  # variance
    noise: float  # variance
    likelihood: float  # log of the marginal likelihood

    def kernel(self, axis: int, codes: FloatArray) -> FloatArray:
        """Return the kernel of one setting between coordinates [m] and those of the trials, float64 [m, n]."""
        return matern(self.axes[axis].distances(codes, self.codes[:, axis]) / self.lengths[axis])

    @cached_property
    def weights(self) -> FloatArray:
        """The trials' weights in the mean surface, float64 [n]."""
        return np.asarray(np.linalg.solve(self._covariance, self.goodness), np.float64)

    @cached_property
    def _covariance(self) -> FloatArray:
        product = np.full((len(self.codes),) * 2, self.signal)
        for axis in range(len(self.axes)):
            product = product * self.kernel(axis, self.codes[:, axis])
        return product + (self.noise + _JITTER) * np.eye(len(self.codes))

    def posterior(self, codes: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean [m] and covariance [m, m] of the surface (without noise) at `codes` [m, d]."""
        across = np.full((len(codes), len(self.codes)), self.signal)
        inside = np.full((len(codes), len(codes)), self.signal)
        for index, axis in enumerate(self.axes):
            across = across * self.kernel(index, codes[:, index])
            inside = inside * matern(axis.distances(codes[:, index], codes[:, index]) / self.lengths[index])
        return across @ self.weights, inside - across @ np.linalg.solve(self._covariance, across.T)


def matern(distance: FloatArray) -> FloatArray:
    """Return the Matérn 5/2 kernel at distances in units of the length."""
    scaled = math.sqrt(5) * distance
    return (1 + scaled + scaled**2 / 3) * np.exp(-scaled)


def fit(axes: Sequence[Axis], codes: FloatArray, goodness: FloatArray) -> Surface:
    """Return the surface of the largest posterior density; of two starts, one smooth and one rough."""
    problem = _Problem(axes, codes, goodness)
    count = len(axes)
    starts = [np.array([*[math.log(length)] * count, 0.0, noise]) for length, noise in ((1.0, -1.0), (0.3, -3.0))]
    best = min((_minimised(problem, start) for start in starts), key=lambda point: problem.cost(point)[0])
    return _surface(problem, best)


def without(surface: Surface, axis: int) -> Surface:
    """Return the surface fitted anew without one setting."""
    kept = [index for index in range(len(surface.axes)) if index != axis]
    problem = _Problem([surface.axes[index] for index in kept], surface.codes[:, kept], surface.goodness)
    start = np.log(np.array([*surface.lengths[kept], surface.signal, surface.noise]))
    return _surface(problem, _minimised(problem, start))


class _Problem:
    """The cost that the fit makes small: minus the log of the posterior density, and its gradient."""

    def __init__(self, axes: Sequence[Axis], codes: FloatArray, goodness: FloatArray) -> None:
        self.axes, self.codes, self.goodness = tuple(axes), codes, goodness
        self.apart = [axis.distances(column, column) for axis, column in zip(axes, codes.T, strict=True)]
        middle, spread = _LENGTH_PRIOR
        count = len(self.axes)
        length = middle + 0.5 * math.log(max(count, 1))
        self.prior_mean = np.array([*[length] * count, _SIGNAL_PRIOR[0], _NOISE_PRIOR[0]])
        self.prior_sd = np.array([*[spread] * count, _SIGNAL_PRIOR[1], _NOISE_PRIOR[1]])

    def likelihood(self, point: FloatArray) -> tuple[float, FloatArray]:
        """Return the log marginal likelihood at logarithms of lengths, signal and noise, and its gradient."""
        lengths, signal, noise = np.exp(point[:-2]), math.exp(point[-2]), math.exp(point[-1])
        count = len(self.goodness)
        kernel, slopes = np.full((count, count), signal), []
        for apart, length in zip(self.apart, lengths, strict=True):
            scaled = math.sqrt(5) * apart / length
            polynomial = 1 + scaled + scaled**2 / 3
            kernel = kernel * (polynomial * np.exp(-scaled))
            slopes.append(scaled**2 * (1 + scaled) / (3 * polynomial))  # of the log of the kernel, by log length
        factor = np.linalg.cholesky(kernel + (noise + _JITTER) * np.eye(count))
        half = np.linalg.inv(factor)
        inverse = half.T @ half
        weights = inverse @ self.goodness
        value = -0.5 * float(self.goodness @ weights) - float(np.log(np.diag(factor)).sum())
        inner = np.outer(weights, weights) - inverse
        shared = inner * kernel
        gradient = [0.5 * float((shared * slope).sum()) for slope in slopes]
        gradient += [0.5 * float(shared.sum()), 0.5 * noise * float(np.trace(inner))]
        return value - 0.5 * count * math.log(2 * math.pi), np.array(gradient)

    def cost(self, point: FloatArray) -> tuple[float, FloatArray]:
        """Return the cost at a point, and its gradient."""
        value, gradient = self.likelihood(point)
        off = (point - self.prior_mean) / self.prior_sd
        return 0.5 * float(off @ off) - value, off / self.prior_sd - gradient


def _minimised(problem: _Problem, start: FloatArray) -> FloatArray:
    """Return the point that BFGS finds, with steps that are halved until the cost falls (Nocedal and Wright, 6.1)."""
    point, inverse = start, np.eye(len(start))
    cost, gradient = problem.cost(point)
    for _ in range(_STEPS):
        direction = -inverse @ gradient
        if direction @ gradient >= 0:
            inverse, direction = np.eye(len(start)), -gradient
        direction *= min(1.0, 2.0 / float(np.abs(direction).max() or 1.0))
        for halving in range(12):
            moved = np.clip(point + direction * 0.5**halving, -_BOUND, _BOUND)
            new_cost, new_gradient = problem.cost(moved)
            if new_cost < cost - 1e-4 * abs(float((moved - point) @ gradient)):
                break
        else:
            return point
        step, change = moved - point, new_gradient - gradient
        gained = cost - new_cost
        point, cost, gradient = moved, new_cost, new_gradient
        if gained < 1e-4:
            return point
        curvature = float(step @ change)
        if curvature > 1e-10:
            left = np.eye(len(start)) - np.outer(step, change) / curvature
            inverse = left @ inverse @ left.T + np.outer(step, step) / curvature
    return point


def _surface(problem: _Problem, point: FloatArray) -> Surface:
    likelihood = problem.likelihood(point)[0]
    values = np.exp(point)
    return Surface(
        problem.axes, problem.codes, problem.goodness, values[:-2], float(values[-2]), float(values[-1]), likelihood
    )
