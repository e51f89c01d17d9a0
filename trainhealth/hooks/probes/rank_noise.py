"""Gradient noise against gradient signal, from the ranks of a distributed training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainhealth.hooks.probes.base import Probe
from trainhealth.hooks.probes.gradients import dense_values
from trainhealth.hooks.sample import Parameter, Sample
from trainhealth.hooks.strided import LARGEST_GRADIENTS, every, stride_for


@dataclass(eq=False)
class _Own:
    """A strided sample of what this rank's backwards add to a parameter's gradient."""

    before: Tensor | None  # what stood there when the first one began
    after: Tensor  # what would stand there now if no other rank had a say


class RankNoise(Probe):
    """Compares this rank's own gradient with the mean over the ranks, which stands there when `backward` has returned.

    With N ranks of b samples each, a rank's gradient g and the mean m over the ranks are gradients over two batch sizes
    (McCandlish et al. 2018, "An Empirical Model of Large-Batch Training", appendix A.1):
    ``E |g|^2 = |G|^2 + tr(Sigma) / b`` and ``E |m|^2 = |G|^2 + tr(Sigma) / (N b)``. Put is |g|^2 / |m|^2; m is the same
    on all ranks, so that the mean of what they put is the ratio of the mean squares, and ranks need not talk. Who reads
    the log makes the noise scale of it. Assumed: batches of one size, and a mean over all ranks.

    Micro-batches add up on both sides. Where the two are equal nothing was averaged: processes that train each for
    itself, or that average their gradients by themselves after `backward`.
    """

    name = "rank_noise"
    signals = ("rank_gradient_ratio",)

    def __init__(self) -> None:
        self._step = -1
        self._stride = 1
        self._own: dict[int, _Own] = {}  # by the parameter's position
        self._fits = True  # all gradients of the step are dense, and in the memory order of their parameters

    def backward_entered(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """Begin anew with the first backward of a step."""
        if sample.step != self._step:
            self._step, self._own, self._fits = sample.step, {}, True
            self._stride = stride_for((parameter.tensor.numel() for parameter in parameters), LARGEST_GRADIENTS)

    def gradient_arrived(self, parameter: Parameter, gradient: Tensor, sample: Sample) -> None:
        """Add a gradient in the way in which torch is about to."""
        if sample.step != self._step or gradient.layout is not torch.strided:
            self._fits = False
            return
        tensor, own = parameter.tensor, self._own.get(parameter.index)
        if gradient.stride() != tensor.stride():
            gradient = torch.empty_like(tensor, dtype=gradient.dtype).copy_(gradient)
        added = self._sampled(gradient)
        if own is not None:
            own.after += added
            return
        standing = None if tensor.grad is None else self._sampled(tensor.grad).clone()
        self._own[parameter.index] = _Own(standing, added.clone() if standing is None else standing + added)

    def backward_ended(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """Put the ratio; every backward of a step replaces what the one before has put."""
        having = [(p, p.tensor.grad) for p in parameters if p.tensor.grad is not None and not p.sharded]
        own = [self._own.get(p.index) for p, _ in having]
        known = [each for each in own if each is not None]
        in_order = all(gradient.stride() == p.tensor.stride() for p, gradient in having)
        if sample.step != self._step or not self._fits or not known or len(known) < len(having) or not in_order:
            sample.drop("batch", "rank_gradient_ratio")
            return
        ours, means = [], []
        for each, (_, gradient) in zip(known, having, strict=True):
            mean = self._sampled(gradient)
            ours.append(each.after if each.before is None else each.after - each.before)
            means.append(mean if each.before is None else mean - each.before)
        squares = [torch.dot(part, part) for part in (_joined(ours), _joined(means))]
        sample.batch("rank_gradient_ratio", *squares, finish=_ratio)

    def step_ended(self, sample: Sample) -> None:
        """Keep nothing in memory."""
        self._own = {}

    def _sampled(self, tensor: Tensor) -> Tensor:
        return every(self._stride, [dense_values(tensor)])[0]


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.float() for part in parts])


def _ratio(own: float, mean: float) -> float | None:
    """Return |g|^2 / |m|^2; None where nothing was averaged, or there is nothing to compare."""
    return own / mean if own != mean and mean > 0 else None
