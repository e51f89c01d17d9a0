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
        self._norms: list[Tensor] = []  # of this step, one an optimizer

    def gradients_used(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """Put the norm over what the optimizers have brought so far."""
        if sample.step != self._step:
            self._step, self._norms = sample.step, []
        gradients = [dense_values(p.tensor.grad) for p in parameters if p.tensor.grad is not None]
        if gradients:
            norm = total_norm(gradients)
            self._norms.append(norm if sample.scale_in_use is None else norm / sample.scale_in_use.to(norm.device))
            sample.batch("clipped_gradient_norm", *self._norms, finish=math.hypot)


def total_norm(tensors: list[Tensor]) -> Tensor:
    """Return the L2 norm over all tensors, of which there is at least one."""
    each = norms(tensors)
    home = next((norm.device for norm in each if not norm.is_cpu), each[0].device)
    if any(norm.device != home or norm.dtype is not torch.float32 for norm in each):
        each = [norm.to(home, torch.float32, non_blocking=True) for norm in each]
    whole: Tensor = torch.linalg.vector_norm(torch.stack(each))
    return whole
