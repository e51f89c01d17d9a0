"""Batch norm's two sets of statistics: those of the batch, and the running ones that an evaluation uses instead."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainhealth.hooks.graph import kept
from trainhealth.hooks.probes.base import Probe, in_float32
from trainhealth.hooks.sample import Place, Sample

LARGEST = 1 << 18  # elements of the input that are looked at where the layer has not kept its batch's statistics


class BatchNorm(Probe):
    """Compares the batch's mean and variance, a channel, with the running ones as the forward left them.

    Gap: root mean square over channels of (batch mean - running mean) / sqrt(running variance + eps).
    Ratio: median over channels of (batch variance + eps) / (running variance + eps); variances divide by n. The layer's
    own eps keeps a channel that hardly varies from making either huge, as it does in the layer.
    """

    name = "batch_norm"
    signals = ("batchnorm_mean_gap", "batchnorm_variance_ratio")

    def module_finished(self, place: Place, module: nn.Module, entered: Tensor, output: Tensor, sample: Sample) -> None:
        """Put gap and ratio of a batch norm that keeps running statistics."""
        if not isinstance(module, _BatchNorm) or module.running_mean is None or module.running_var is None:
            return
        mean, variance = _saved_statistics(output, module.eps) or _statistics(entered)
        running_variance = module.running_var.detach() + module.eps
        gap = torch.linalg.vector_norm((mean - module.running_mean.detach()) * running_variance.rsqrt())
        divisor = math.sqrt(module.num_features)
        sample.layer("batchnorm_mean_gap", place, gap, finish=lambda norm: norm / divisor)
        ratio = ((variance + module.eps) / running_variance).median()
        sample.layer("batchnorm_variance_ratio", place, ratio)


def _saved_statistics(output: Tensor, eps: float) -> tuple[Tensor, Tensor] | None:
    """Return the batch's mean and variance [channels] that the layer has computed and kept for the backward, for free.

    Nodes are named `NativeBatchNormBackward0` and `CudnnBatchNormBackward0`; the second result is 1 / sqrt(variance +
    eps). In evaluation mode nothing is kept, and what hooks of the user's pack is not touched.
    """
    node = output.grad_fn
    if node is None or not getattr(node, "_saved_training", False):
        return None
    mean, inverse = kept(node, "result1"), kept(node, "result2")
    if mean is None or inverse is None or not mean.numel():
        return None
    return mean.detach(), inverse.detach().square().reciprocal() - eps


def _statistics(entered: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance [channels] of a batch [N, C, ...], of every k-th example where it is large."""
    values = in_float32(entered[:: -(-entered.numel() // LARGEST)].transpose(0, 1).flatten(1))
    mean = values.mean(1)
    # two passes: `torch.var_mean` takes many times as long on a CPU
    deviations = torch.linalg.vector_norm(values - mean.unsqueeze(1), dim=1)
    return mean, deviations.square() / values.shape[1]
