"""Gradients that were not zeroed: what stands in the parameters when a step's first backward begins."""

from __future__ import annotations

from collections.abc import Sequence

from trainhealth.hooks.probes.base import Probe
from trainhealth.hooks.probes.clipped_gradients import total_norm
from trainhealth.hooks.probes.gradients import dense_values
from trainhealth.hooks.sample import Parameter, Sample


class LeftoverGradients(Probe):
    """Takes the norm of the gradients that have stood untouched since the step before; 0 where they were zeroed."""

    name = "leftover_gradients"
    signals = ("leftover_gradient_norm",)

    def backward_begins(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """Put the norm over the parameters that still have the gradient of the step before."""
        left = [dense_values(parameter.tensor.grad) for parameter in parameters if parameter.tensor.grad is not None]
        sample.batch("leftover_gradient_norm", total_norm(left) if left else 0.0)
