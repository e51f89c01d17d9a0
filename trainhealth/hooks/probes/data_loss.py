"""What the loss function alone says of a batch, where the script adds other terms to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from trainhealth.hooks.loss import function_of
from trainhealth.hooks.probes.base import Probe
from trainhealth.hooks.sample import Sample

LARGEST = 1 << 22  # outputs that are compared once more: beyond, a copy of them might not fit


class DataLoss(Probe):
    """Computes the loss function that the graph names a second time, without penalties and other terms.

    A binary cross-entropy of probabilities is left out: an output beyond 0 and 1 would stop an accelerator.
    """

    name = "data_loss"
    signals = ("data_loss",)

    def judged(self, outputs: Tensor, targets: Tensor, facts: Mapping[str, Any], sample: Sample) -> None:
        """Put the loss function's value, where it is one term of several."""
        if not facts.get("loss_composed") or facts.get("loss_function") == "binary_cross_entropy":
            return
        alone = function_of(outputs, targets, facts) if outputs.numel() <= LARGEST else None
        if alone is not None:
            sample.batch("data_loss", alone)
