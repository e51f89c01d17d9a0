"""The gradient that an optimizer uses: its norm after unscaling and clipping."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from trainhealth.hooks.probes.base import Probe
from trainhealth.hooks.probes.gradients import dense_values, norms
from trainhealth.hooks.sample import Parameter, Sample


class ClippedGradients(Probe):
    """Takes the L2 norm over all gradients when the optimizer's step begins; beside `gradient_norm` it shows clipping.

    Of several optimizers each brings its own parameters, at the beginning of its own step.
    """

    name = "clipped_gradients"
    signals = ("clipped_gradient_norm",)

    def __init__(self) -> None:
        self._step = -1
        self._norms: list[Tensor] = []  # of this step, one an optimizer and device

    def gradients_used(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """Put the norm over what the optimizers have brought so far."""
        if sample.step != self._step:
            self._step, self._norms = sample.step, []
        found = total_norms([dense_values(p.tensor.grad) for p in parameters if p.tensor.grad is not None])
        scale = sample.scale_in_use
        self._norms += found if scale is None else [norm / scale.to(norm.device) for norm in found]
        if self._norms:
            sample.batch("clipped_gradient_norm", *self._norms, finish=math.hypot)


def total_norms(tensors: list[Tensor]) -> list[Tensor]:
    """Return the L2 norm over all tensors, one a device."""
    by_device: dict[torch.device, list[Tensor]] = {}
    for norm in norms(tensors) if tensors else ():
        by_device.setdefault(norm.device, []).append(norm)
    return [torch.linalg.vector_norm(torch.stack(those)) for those in by_device.values()]
