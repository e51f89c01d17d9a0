"""Gradient noise against gradient signal: successive gradients compared, and the batch size that they call for."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainhealth.hooks.probes.base import Probe
from trainhealth.hooks.probes.gradients import dense_values
from trainhealth.hooks.run_folder import rank_and_world
from trainhealth.hooks.sample import Parameter, Sample
from trainhealth.hooks.strided import LARGEST_GRADIENTS, joined, stride_for

AVERAGED = 8  # estimates whose means are divided: one alone is mostly noise


@dataclass(eq=False)
class _Gradient:
    """A strided sample of one step's gradient, and the size of its batch."""

    step: int
    batch_size: int | None
    parts: list[Tensor]  # float32 vectors, one an optimizer

    def fits(self, other: _Gradient) -> bool:
        """Tell whether both are samples of the same parameters in successive steps."""
        shapes = [part.shape for part in self.parts] == [part.shape for part in other.parts]
        return shapes and other.step == self.step + 1 and any(part.numel() for part in self.parts)


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
      gradient by less than its own size. At a high rate weights bounce along the steepest direction, successive
      gradients point against each other, and the scale is too large or infinite, also where training goes well.

    Where several ranks train together and average their gradients, these tell more: `rank_noise`.

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
        if self._world > 1 or not self._accumulates:
            return  # of several ranks only DDP knows what was reduced when
        if sample.micro_batch == 0:
            self._micro_batches = _MicroBatches(sample.step, sample.batch_size)
        if self._micro_batches is not None:
            self._micro_batches.add(sample.micro_batch, _sampled(parameters))

    def gradients_used(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """Put cosine and noise scale."""
        self._accumulates = sample.micro_batch > 0
        micro_batches, self._micro_batches = self._micro_batches, None
        if self._accumulates and micro_batches is not None:
            self._compare_micro_batches(micro_batches, sample)
        self._remember(parameters, sample.step, sample.batch_size)
        before, present = self._before, self._present
        if before is None or present is None or not before.fits(present):
            return
        products = [torch.dot(g, h) for g, h in zip(before.parts, present.parts, strict=True)]
        squares = [torch.dot(g, g) for g in (*before.parts, *present.parts)]
        sample.batch("gradient_cosine", *products, *squares, finish=_cosine)
        if not self._accumulates and before.batch_size == present.batch_size and present.batch_size:
            sample.batch(
                "gradient_noise_scale",
                *products,
                *squares,
                # at the step's end the size of its batch is known for sure
                finish=lambda *numbers: self._scale(*_from_pair(numbers), (sample.batch_size or 0) * self._world),
            )

    def gradients_passed(self, parameters: Sequence[Parameter], step: int, batch_size: int | None) -> None:
        """Remember the gradient of the step before a sampled one."""
        self._remember(parameters, step, batch_size)

    def _remember(self, parameters: Sequence[Parameter], step: int, batch_size: int | None) -> None:
        if self._present is None or self._present.step != step:
            self._before, self._present = self._present, _Gradient(step, batch_size, [])
        self._present.parts.append(_sampled(parameters))

    def _compare_micro_batches(self, micro_batches: _MicroBatches, sample: Sample) -> None:
        numbers, count, size = micro_batches.squares(), micro_batches.count, micro_batches.batch_size
        if micro_batches.step == sample.step and size and numbers:
            sample.batch(
                "gradient_noise_scale",
                *numbers,
                finish=lambda whole, *each: self._scale(*_from_parts(whole, sum(each), count), size),
            )

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
        self._sum = torch.zeros(0, dtype=torch.float32)  # after the newest backward
        self._sum_before = self._sum  # after the micro-batch before
        self._squares: list[Tensor] = []  # |h|^2 of the finished micro-batches
        self._number = -1
        self._fits = True  # all have given gradients to the same parameters

    def add(self, number: int, accumulated: Tensor) -> None:
        """Take the gradient that stands in the parameters after a backward of micro-batch `number`, counted from 0."""
        if number != self._number:
            self._squares += self._newest()
            self._sum_before, self._number, self.count = self._sum, number, self.count + 1
        self._fits = self._fits and (number == 0 or accumulated.shape == self._sum_before.shape)
        self._sum = accumulated

    def squares(self) -> list[Tensor]:
        """Return |S|^2 and then |h|^2 of every micro-batch; nothing where they cannot be compared."""
        whole = torch.dot(self._sum, self._sum)
        return [whole, *self._squares, *self._newest()] if self._fits and self.count > 1 else []

    def _newest(self) -> list[Tensor]:
        if not self._fits or not self.count:
            return []
        added = self._sum - self._sum_before if self.count > 1 else self._sum
        return [torch.dot(added, added)]


def _sampled(parameters: Sequence[Parameter]) -> Tensor:
    """Return a strided sample of the dense gradients as one vector."""
    gradients = [p.tensor.grad for p in parameters if p.tensor.grad is not None]
    dense = [dense_values(gradient) for gradient in gradients if gradient.layout is torch.strided]
    return joined(dense, stride_for((gradient.numel() for gradient in dense), LARGEST_GRADIENTS))


def _cosine(*numbers: float) -> float:
    """Return the cosine from products, squares of the one and squares of the other, each one an optimizer."""
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
