"""Gradient noise against gradient signal: successive gradients compared, and the batch size that they call for."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainhealth.hooks.probes.base import Probe
from trainhealth.hooks.run_folder import rank_and_world
from trainhealth.hooks.sample import Parameter, Sample
from trainhealth.hooks.strided import LARGEST_GRADIENTS, joined, stride_for

AVERAGED = 8  # estimates whose means are divided: one alone is mostly noise


@dataclass(eq=False)
class _Gradient:
    """A strided sample of one gradient over all parameters, and the batch that it comes from."""

    step: int
    batch_size: int | None
    parts: list[Tensor]  # float32 vectors, one an optimizer and device

    def fits(self, other: _Gradient) -> bool:
        """Tell whether both are samples of the same parameters."""
        return [(p.shape, p.device) for p in self.parts] == [(p.shape, p.device) for p in other.parts]


class GradientNoise(Probe):
    """Compares the gradients of two successive steps, or of the micro-batches of one.

    The simple noise scale (McCandlish et al. 2018, "An Empirical Model of Large-Batch Training", section 2.2) is
    B = tr(Sigma) / |G|^2: the batch size at which noise and signal of a gradient are equally large. Both are estimated
    without bias from gradients over two batch sizes (their appendix A.1), and averaged before they are divided, here
    over the last `AVERAGED` estimates. Each counts as a share of its own gradients' mean square, which in a run changes
    by orders of magnitude: the first steps would outweigh all later ones.

    * Under accumulation, from the k micro-batches of b samples: h_i are their gradients and S is the sum. Then
      ``|G|^2 = (|S|^2 - sum |h_i|^2) / (k (k - 1))`` and ``|G|^2 + tr(Sigma) / b = sum |h_i|^2 / k``. Assumed: equal
      sizes, each micro-batch's loss weighted alike. A constant factor in the loss cancels.
    * Otherwise from two steps of b samples with gradients g and h, the larger batch being both together:
      ``|G|^2 = g h`` and ``|G|^2 + tr(Sigma) / b = (|g|^2 + |h|^2) / 2``. Assumed: the update between moved the true
      gradient by less than its own size. Where it did (a rate that is too high, bouncing), the scale is too large.

    Gradients are seen when the optimizer's step begins; clipping by norm changes none of the ratios much.
    """

    name = "gradient_noise"
    signals = ("gradient_cosine", "gradient_noise_scale")

    def __init__(self) -> None:
        self._before: _Gradient | None = None  # of the step before, once this step's has begun
        self._present: _Gradient | None = None
        self._micro_batches: _MicroBatches | None = None
        self._accumulates = True  # whether steps are made of micro-batches: unknown before the first, so be prepared
        self._signals: deque[float] = deque(maxlen=AVERAGED)  # |G|^2 as a share of the gradients' mean square
        self._world = rank_and_world()[1]

    def backward_ended(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """Take apart what micro-batches add to the gradient."""
        if self._world > 1 or not (self._accumulates or sample.micro_batch):
            return  # ranks: what was reduced when, only DDP knows
        if self._micro_batches is None or self._micro_batches.step != sample.step:
            self._micro_batches = _MicroBatches(sample.step, sample.batch_size)
        self._micro_batches.add(sample.micro_batch, _sampled(parameters))

    def gradients_used(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """Put cosine and noise scale."""
        parts, self._micro_batches = self._micro_batches, None
        if parts is not None and parts.step == sample.step:
            self._accumulates = parts.count > 1
        if parts is not None and parts.count > 1:
            squares, whole, count, size = parts.squares(), parts.whole(), parts.count, parts.batch_size
            if size and whole is not None:
                sample.batch(
                    "gradient_noise_scale",
                    whole,
                    *squares,
                    finish=lambda whole, *each: self._scale(*_from_parts(whole, sum(each), count), size),
                )
        self._remember(parameters, sample.step, sample.batch_size)
        before, present = self._before, self._present
        if before is None or present is None or before.step != sample.step - 1 or not before.fits(present):
            return
        products = [torch.dot(g, h) for g, h in zip(before.parts, present.parts, strict=True)]
        squares = [torch.dot(g, g) for g in (*before.parts, *present.parts)]
        sample.batch("gradient_cosine", *products, *squares, finish=_cosine)
        if not self._accumulates and before.batch_size == present.batch_size and present.batch_size:
            size = present.batch_size * self._world
            sample.batch(
                "gradient_noise_scale",
                *products,
                *squares,
                finish=lambda *numbers: self._scale(*_from_pair(numbers), size),
            )

    def gradients_passed(self, parameters: Sequence[Parameter], step: int, batch_size: int | None) -> None:
        """Remember the gradient of the step before a sampled one."""
        self._remember(parameters, step, batch_size)

    def _remember(self, parameters: Sequence[Parameter], step: int, batch_size: int | None) -> None:
        if self._present is None or self._present.step != step:
            self._before, self._present = self._present, _Gradient(step, batch_size, [])
        self._present.parts += _sampled(parameters)

    def _scale(self, signal: float, square: float, batch_size: int) -> float:
        """Return the noise scale after one more estimate; called on the host, in the order of steps.

        `signal` is |G|^2 and `square` the mean square of gradients over `batch_size` samples, |G|^2 + tr(Sigma) / b.
        """
        if math.isfinite(signal) and math.isfinite(square) and square > 0:
            self._signals.append(signal / square)
        if not self._signals:
            return math.nan
        share = sum(self._signals) / len(self._signals)
        return batch_size * max(1 - share, 0.0) / share if share > 0 else math.inf


class _MicroBatches:
    """What each micro-batch of a step has added to the gradient, while it is accumulated."""

    def __init__(self, step: int, batch_size: int | None) -> None:
        self.step = step
        self.batch_size = batch_size
        self.count = 0
        self._number = -1
        self._sum: list[Tensor] = []  # after the newest backward
        self._sum_before: list[Tensor] = []  # after the micro-batch before
        self._squares: list[Tensor] = []  # |h|^2 of the finished micro-batches

    def add(self, number: int, accumulated: list[Tensor]) -> None:
        """Take the gradient that stands in the parameters after a backward of micro-batch `number`."""
        if number != self._number:
            self._squares += self._newest()
            self._sum_before = self._sum
            self._number = number
            self.count += 1
        self.whole = self.whole and _alike(accumulated, self._sum_before or accumulated)
        self._sum = accumulated if self.whole else []

    def squares(self) -> list[Tensor]:
        """Return |h|^2 of every micro-batch, one a device."""
        return [*self._squares, *self._newest()]

    def whole(self) -> Tensor | None:
        """Return |S|^2; None where there is no gradient, or where it is spread over devices."""
        return torch.dot(self._sum[0], self._sum[0]) if len(self._sum) == 1 else None

    def _newest(self) -> list[Tensor]:
        if not self._sum_before:
            return [torch.dot(now, now) for now in self._sum]
        added = [now - before for now, before in zip(self._sum, self._sum_before, strict=True)]
        return [torch.dot(one, one) for one in added]


def _sampled(parameters: Sequence[Parameter]) -> list[Tensor]:
    """Return a strided sample of the dense gradients, as one vector a device."""
    gradients = [p.tensor.grad.detach() for p in parameters if p.tensor.grad is not None]
    dense = [gradient for gradient in gradients if gradient.layout is torch.strided and gradient.is_floating_point()]
    return joined(dense, stride_for((gradient.numel() for gradient in dense), LARGEST_GRADIENTS))


def _cosine(*numbers: float) -> float:
    """Return the cosine from products, squares of the one and squares of the other, each one a part."""
    product, one, other = _thirds(numbers)
    return product / math.sqrt(one * other) if one * other > 0 else math.nan


def _from_pair(numbers: Sequence[float]) -> tuple[float, float]:
    """Return (|G|^2, mean square) from two gradients."""
    product, one, other = _thirds(numbers)
    return product, (one + other) / 2


def _from_parts(whole: float, squares: float, count: int) -> tuple[float, float]:
    """Return (|G|^2, mean square) from `count` micro-batches: the square of the sum, and the sum of the squares."""
    return (whole - squares) / (count * (count - 1)), squares / count


def _thirds(numbers: Sequence[float]) -> tuple[float, float, float]:
    size = len(numbers) // 3
    return sum(numbers[:size]), sum(numbers[size : 2 * size]), sum(numbers[2 * size :])
