"""The shapes in which learning rates fall, told apart by the curve that fits: linear, cosine, exponential and others.

Scheduled rates carry no noise but rounding, so a few points tell shapes apart; a fit has to be good to a fiftieth of
the peak.
"""

from __future__ import annotations

from enum import Enum

import numpy as np

from trainhealth.series import FloatArray, IntArray

_FIT = 0.02  # of the peak: the largest residual of a shape that is called by its name
_POINTS = 400  # of a fall that are compared
_LEAST = 4  # points: any two-parameter curve goes through three of them well enough


class Kind(Enum):
    """What the rate does from its peak on; the value is what people call it."""

    UNKNOWN = "unknown"  # no rate is logged
    RISING = "warm-up"  # it has done nothing else yet
    CONSTANT = "constant"
    STEP = "step decay"
    DROPS = "drops at uneven distances"  # as a scheduler makes them that waits for plateaus
    LINEAR = "linear decay"
    COSINE = "cosine decay"
    EXPONENTIAL = "exponential decay"
    INVERSE_TIME = "1/t decay"
    INVERSE_SQUARE_ROOT = "inverse-square-root decay"
    ONE_CYCLE = "one-cycle"
    CYCLIC = "cyclic"  # it comes back up as gradually as it goes down
    OTHER = "decay"  # it falls, in a way that has no name here, or too few points tell which


def shape_of(steps: IntArray, rates: FloatArray) -> Kind:
    """Return the kind of the curve through `rates`, which fall from the first one on."""
    chosen = np.unique(np.linspace(0, len(rates) - 1, min(len(rates), _POINTS)).astype(np.int64))
    times = (steps[chosen] - steps[0]).astype(np.float64)
    if len(chosen) < _LEAST or not times[-1] > 0 or not rates[0] > 0:
        return Kind.OTHER
    times, shares = times / times[-1], rates[chosen] / rates[0]
    fits = {
        Kind.LINEAR: _line(times, shares, 1.0),
        Kind.INVERSE_TIME: _power_of_line(times, shares, -1.0),
        Kind.INVERSE_SQUARE_ROOT: _power_of_line(times, shares, -2.0),
        Kind.EXPONENTIAL: _exponential(times, shares),
        Kind.COSINE: _cosine(times, shares),
    }
    errors = {kind: float(np.abs(fit - shares).max()) for kind, fit in fits.items() if np.isfinite(fit).all()}
    best = min(errors, key=lambda kind: errors[kind], default=Kind.OTHER)
    return best if errors.get(best, 1.0) <= _FIT else Kind.OTHER


def rises_as_cosine(steps: IntArray, rates: FloatArray) -> bool:
    """Tell whether a rise follows a cosine, slow at both ends, and no straight line.

    The highest rate may lie between two steps of the log, and the last one on the way down: its place is not asked for.
    """
    if len(rates) <= _LEAST:
        return False
    slopes = np.diff(rates) / np.maximum(np.diff(steps), 1)
    upside_down = rates[:-1].max() + rates[0] - rates[:-1]
    return bool(slopes[-1] < slopes.mean()) and shape_of(steps[:-1], upside_down) is Kind.COSINE


def _line(times: FloatArray, values: FloatArray, weights: FloatArray | float) -> FloatArray:
    """Return the weighted least-squares line through `values`."""
    root = np.broadcast_to(np.asarray(weights, np.float64), times.shape)
    design = np.stack([root, root * times], axis=1)
    (level, slope), *_ = np.linalg.lstsq(design, root * values, rcond=None)
    return np.asarray(level + slope * times)


def _power_of_line(times: FloatArray, shares: FloatArray, power: float) -> FloatArray:
    """Return the fit ``(a + b t) ** (1 / power)``: a line in the transformed values, weighted back to the rates."""
    if not (shares > 1e-100).all():  # beyond any schedule, and its powers beyond any float
        return np.full(len(shares), np.nan)
    line = _line(times, shares**power, shares ** (1 - power))
    return np.maximum(line, 1e-12) ** (1 / power)


def _exponential(times: FloatArray, shares: FloatArray) -> FloatArray:
    if not (shares > 0).all():
        return np.full(len(shares), np.nan)
    return np.exp(_line(times, np.log(shares), shares))


def _cosine(times: FloatArray, shares: FloatArray) -> FloatArray:
    """Return the best fit ``a + b cos(pi t / T)``, whose half period T may lie beyond the last point: a run goes on."""
    periods = np.concatenate([[1.0], np.geomspace(1.002, 6.0, 300)])
    waves = np.cos(np.pi * times / periods[:, None])
    waves -= waves.mean(axis=1, keepdims=True)
    swings = (waves @ shares) / np.maximum((waves**2).sum(axis=1), 1e-300)  # least squares, one b a period
    fits = shares.mean() + swings[:, None] * waves
    lowest = fits[:, 0] - 2 * swings  # a - b, since cos 0 = 1
    errors = np.where(lowest >= -_FIT, np.abs(fits - shares).max(axis=1), np.inf)
    return np.asarray(fits[int(np.argmin(errors))])
