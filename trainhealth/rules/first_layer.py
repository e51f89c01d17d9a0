"""Whether a model brings its inputs to one scale itself."""

from __future__ import annotations

from trainhealth.series import RunView


def normalizes_inputs(run: RunView) -> bool:
    """Tell whether a normalisation is the first layer, or the second, before any activation function.

    It takes away what the inputs' common mean and scale do to the sums of the first layer.
    """
    return any("Norm" in entry.type for entry in run.layers[:2] if not entry.activation)


def normalizes_features(run: RunView) -> bool:
    """Tell whether the first layer is a batch normalisation: it brings every feature to one scale."""
    return bool(run.layers) and run.layers[0].type.startswith(("BatchNorm", "SyncBatchNorm"))
