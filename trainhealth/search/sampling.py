"""How the values of a setting were drawn: uniformly, or uniformly in their logarithm."""

from __future__ import annotations

import math

import numpy as np

from trainhealth.series import FloatArray


def linear_evidence(values: FloatArray) -> float:
    """Return the natural log of how much likelier positive values are under a uniform draw than a log-uniform one.

    Both have the smallest and the largest value for bounds, and a value that was tried twice (a grid) counts once:
    a uniform draw from [a, b] has the density 1 / (b - a), a log-uniform one 1 / (x log(b / a)). Negative values speak
    for the logarithm; 0 where there is nothing to tell them apart.
    """
    tried = np.unique(values)
    if len(tried) < 3 or tried[0] <= 0:
        return 0.0
    width = math.log(tried[-1] / tried[0])
    inner = tried[1:-1]  # the ends are the bounds
    return float(np.sum(np.log(inner) + math.log(width) - math.log(tried[-1] - tried[0])))
