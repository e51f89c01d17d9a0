"""Gradients as `backward` left them: their norm a parameter, and their non-finite elements."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trainhealth.hooks.probes.base import Probe, in_float32, nonfinite_count
from trainhealth.hooks.sample import Parameter, Sample


class Gradients(Probe):
    """Takes the L2 norm of every parameter's gradient: after accumulation, before clipping."""

    name = "gradients"
    signals = ("parameter_gradient_norm", "gradient_nonfinite")
    shards = True

    def backward_ended(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """Put norm and count; a parameter without a gradient has neither."""
        having = [parameter for parameter in parameters if parameter.tensor.grad is not None]
        gradients = [dense_values(parameter.tensor.grad) for parameter in having if parameter.tensor.grad is not None]
        if gradients:
            sizes = norms(gradients)
            sample.parameters("parameter_gradient_norm", having, sizes)
            counts = [nonfinite_count(gradient, size) for gradient, size in zip(gradients, sizes, strict=True)]
            sample.parameters("gradient_nonfinite", having, counts)


def dense_values(tensor: Tensor) -> Tensor:
    """Return the numbers in a parameter or gradient, detached, real and strided.

    Of a sparse gradient (an embedding's) those that are there, of one that is spread over ranks this rank's part.
    """
    tensor = tensor.detach()
    if type(tensor) is not Tensor and hasattr(tensor, "to_local"):
        tensor = tensor.to_local()
    if tensor.is_sparse:
        tensor = tensor.coalesce().values()
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


def norms(tensors: list[Tensor]) -> list[Tensor]:
    """Return the L2 norm of each tensor in at least float32 (a norm in float16 overflows at 65504)."""
    if any(tensor.dtype in (torch.float16, torch.bfloat16) for tensor in tensors):
        return [torch.linalg.vector_norm(in_float32(tensor)) for tensor in tensors]
    return list(torch._foreach_norm(tensors))
