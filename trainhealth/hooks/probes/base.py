"""What a probe is: it turns tensors that pass by in a sampled step into values of signals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainhealth.hooks.sample import Parameter, Place, Sample

if TYPE_CHECKING:
    from trainhealth.hooks.targets import Classes, Decision

LARGEST = 1 << 16  # elements of an activation that are reduced; a larger one is strided down to about so many: 0.4 %


class Probe:
    """Measures signals in sampled steps. A subclass overrides what it needs.

    All methods are called under ``torch.no_grad()`` with detached tensors. They return nothing, put 0-dimensional
    tensors into the sample, and never make the device wait (no ``.item()``). A probe that raises is switched off for
    the rest of the run; training goes on.
    """

    name: ClassVar[str]
    signals: ClassVar[tuple[str, ...]]  # names in the list of signals that it may put into the sample
    shards: ClassVar[bool] = False  # of parts of parameters it measures what the reader can merge: else it gets none

    def forward_entered(self, model: nn.Module, sample: Sample) -> None:
        """A training forward of a model begins."""

    def batch_entered(self, inputs: Tensor, sample: Sample) -> None:
        """The (first) model's first floating-point input, [examples, ...]."""

    def layer_finished(self, place: Place, output: Tensor, sample: Sample) -> None:
        """The output of a layer or activation function, in any shape."""

    def layer_repeated(self, place: Place, output: Tensor, sample: Sample) -> None:
        """The output of a further call of a place in the same forward (a recurrent cell)."""

    def module_finished(self, place: Place, module: nn.Module, entered: Tensor, output: Tensor, sample: Sample) -> None:
        """A layer has run: the module, its input, and its output with the graph behind it."""

    def outputs_known(self, outputs: Tensor, decision: Decision, sample: Sample) -> None:
        """The (first) model's output, or what `step` was given as it, and how it says a class."""

    def targets_known(self, targets: Tensor, classes: Classes | None, sample: Sample) -> None:
        """The targets, and the same as classes where they are such."""

    def judged(self, outputs: Tensor, targets: Tensor, facts: Mapping[str, Any], sample: Sample) -> None:
        """The outputs and the targets that the loss compares, and the facts that are known of it."""

    def evaluation_entered(self, model: nn.Module, inputs: Tensor | None, step: int) -> None:
        """The first forward of an evaluation begins; `step` is the next step. `inputs` as for `batch_entered`."""

    def step_ended(self, sample: Sample) -> None:
        """The sampled step is over: the last call before its sample is written."""

    def backward_begins(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """The step's first backward begins; `parameters` still have a gradient from the step before."""

    def backward_entered(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """A backward has reached the model's output, of one that trains on several ranks; may be called repeatedly."""

    def gradient_arrived(self, parameter: Parameter, gradient: Tensor, sample: Sample) -> None:
        """A backward on several ranks is about to add `gradient`, this rank's own, to what stands in `parameter`."""

    def backward_ended(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """`backward` has returned; gradients are accumulated and not yet clipped."""

    def gradients_used(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """An optimizer is about to use the gradients of `parameters`: unscaled and clipped; once an optimizer."""

    def gradients_passed(self, parameters: Sequence[Parameter], step: int, batch_size: int | None) -> None:
        """The same in the step before a sampled one: for what compares two successive steps."""

    def before_update(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """The optimizer is about to change the parameters."""

    def optimizer_stepped(self, optimizer: Optimizer, parameters: Sequence[Parameter], sample: Sample) -> None:
        """An optimizer's step has returned; its settings and state are those of this update."""

    def after_update(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """The optimizer has changed the parameters."""


def bounded(output: Tensor, largest: int = LARGEST) -> Tensor:
    """Return `output` flattened, every k-th element where it is larger than `largest`; k as `even_stride` says."""
    flat = output.reshape(-1)
    if flat.numel() <= largest:
        return flat
    return flat[:: even_stride(flat.numel(), flat.numel() / largest)].contiguous()  # it is gone through several times


def even_stride(length: int, at_least: float) -> int:
    """Return a stride of at least `at_least` that has no divisor in common with `length`.

    Any other passes over the same units, rows or channels each time.
    """
    stride = math.ceil(at_least)
    while math.gcd(stride, length) > 1:
        stride += 1
    return stride


def doubled(step: int) -> bool:
    """Tell whether `step` is 0, 1, 2, 4, 8, …: for what changes slowly, or matters at the beginning."""
    return step & (step - 1) == 0


def in_float32(tensor: Tensor) -> Tensor:
    """Return `tensor` in at least float32: half precision overflows in sums and norms."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def nonfinite_count(tensor: Tensor, *witnesses: Tensor) -> Tensor | float:
    """Return the number of NaN and infinite elements of `tensor`.

    `witnesses` are 0-dimensional results that every element of it went into (a norm, the extremes): on the host, where
    looking at them costs nothing, all finite means that there are none. A witness that is not finite proves nothing
    (a finite norm can overflow), so then, and on a device, elements are counted one by one.
    """
    if witnesses and tensor.is_cpu and all(math.isfinite(witness.item()) for witness in witnesses):
        return 0.0
    return tensor.numel() - torch.count_nonzero(torch.isfinite(tensor))


def mean_and_std(values: Tensor) -> tuple[Tensor, Tensor, float]:
    """Return the mean of a vector, the norm of its deviations, and the divisor that makes the norm a deviation.

    Two passes, because `torch.std_mean` takes sixteen times as long on a CPU (65,536 elements: 361 against 22 us).
    """
    mean = values.mean()
    return mean, torch.linalg.vector_norm(values - mean), math.sqrt(values.numel())
