"""Whose gradients are whose: which optimizer uses them, and from which step they are."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge
from torch.optim import Optimizer

from trainhealth.hooks.sample import Parameter

if TYPE_CHECKING:
    from trainhealth.hooks.recorder import Recorder

ASKED = 8  # parameters that are asked whether a backward will give them a gradient


class Ownership:
    """Follows, through one sampled step, the gradients of the parameters.

    Where several optimizers are watched (a GAN), the backward of one player leaves gradients in the parameters of the
    other, and a player that does not step keeps those of an earlier step: neither are gradients of this step.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._parameters: list[Parameter] = []
        self._used: set[int] = set()  # positions of parameters whose gradients an optimizer has used in this step
        self._standing: dict[int, tuple[weakref.ref[Tensor], int]] = {}  # gradients at the step's begin: which, version

    def step_begins(self, parameters: list[Parameter]) -> None:
        """Begin anew."""
        self._parameters, self._used, self._standing = parameters, set(), {}

    def remember_gradients(self) -> None:
        """Remember which gradients stand in the parameters now, for `untouched`."""
        having = [(p, p.tensor.grad) for p in self._parameters if p.tensor.grad is not None]
        self._standing = {p.index: (weakref.ref(gradient), gradient._version) for p, gradient in having}

    def open(self) -> list[Parameter]:
        """Return the parameters whose gradients no optimizer has used in this step."""
        return [p for p in self._parameters if p.index not in self._used] if self._used else self._parameters

    def use(self, optimizer: Optimizer) -> list[Parameter]:
        """Return the parameters whose gradients `optimizer` uses now, for the first time; those of nobody as well."""
        if len(self._recorder.optimizers) < 2:
            return self._parameters
        others = self._owned([other for other in self._recorder.optimizers if other is not optimizer])
        others -= self._owned([optimizer])  # what both hold is used by the first to step
        own = [p for p in self.open() if p.index not in others]
        self._used |= {p.index for p in own}
        return own

    def unused(self) -> set[int]:
        """Return the positions of parameters that only optimizers own which have not stepped, while others have."""
        return self._owned(self._recorder.optimizers) - self._used if self._used else set()

    def untouched(self) -> list[Parameter]:
        """Return the optimizers' parameters whose gradient is the one that stood there when the step began."""
        optimizers = self._recorder.optimizers
        owned = self._owned(optimizers) if optimizers else {p.index for p in self._parameters}
        return [p for p in self._parameters if p.index in owned and self._is_standing(p)]

    def accumulates(self) -> bool:
        """Tell whether the backward under way gives gradients to parameters: `torch.autograd.grad` does not."""
        trained = [p.tensor for p in reversed(self._parameters) if p.tensor.requires_grad and p.tensor.is_leaf]
        return any(_will_receive(tensor) for tensor in trained[:ASKED])

    def _is_standing(self, parameter: Parameter) -> bool:
        gradient, (known, version) = parameter.tensor.grad, self._standing.get(parameter.index, (None, -1))
        return gradient is not None and known is not None and known() is gradient and gradient._version == version

    def _owned(self, optimizers: Iterable[Optimizer]) -> set[int]:
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        owned = {id(tensor) for group in groups for tensor in group["params"]}
        return {p.index for p in self._parameters if id(p.tensor) in owned}


def _will_receive(parameter: Tensor) -> bool:
    try:
        return torch._C._will_engine_execute_node(get_gradient_edge(parameter).node)
    except RuntimeError:
        return False  # `torch.autograd.grad` with respect to this very parameter
