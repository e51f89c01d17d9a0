"""The first layer of a model: how many inputs it sums, and whether it brings them to one scale itself."""

from __future__ import annotations

import math

from trainhealth.series import RunView


def normalizes_inputs(run: RunView) -> bool:
    """Tell whether a normalisation is the first layer, or the second, before any activation function.

    It takes away what the inputs' common mean and scale do to the sums of the first layer.
    """
    return any("Norm" in entry.type for entry in run.layers[:2] if not entry.activation)


def normalizes_features(run: RunView) -> bool:
    """Tell whether the first layer is a batch normalisation: it brings every feature to one scale."""
    return bool(run.layers) and run.layers[0].type.startswith(("BatchNorm", "SyncBatchNorm"))


def first_fan_in(run: RunView) -> float:
    """Return how many inputs a unit of the first layer sums; 1 where it is not known."""
    first = run.layers[0].name if run.layers else ""
    shapes = (entry.shape for entry in run.parameters if entry.layer == first and len(entry.shape) > 1)
    return float(math.prod(next(shapes, [1, 1])[1:]))
