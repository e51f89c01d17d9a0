"""Sees backwards in programs whose forwards no hook sees: a compiled model, `model.forward(x)`, parts of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from torch import Tensor
from torch.optim import Optimizer

from trainhealth.hooks.backward_end import when_backward_has_ended
from trainhealth.hooks.untraced import untraced

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle


class Witness:
    """Two hooks that fire when a gradient is accumulated: on the first and the last parameter that had one.

    Not needed where the model's root is called: its hook costs less, and copies of a model lack these (a copy of a
    parameter has no hooks).
    """

    def __init__(self, optimizers: Iterable[Optimizer], began: Callable[[], bool], ended: Callable[[], None]) -> None:
        self._began = began  # called with the first gradient of a backward; tells whether to call `ended`
        self._ended = ended
        self._queued = False
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        trained: list[Tensor] = [p for group in groups for p in group["params"] if p.requires_grad and p.is_leaf]
        having = [parameter for parameter in trained if parameter.grad is not None] or trained
        ends = {id(parameter): parameter for parameter in having[:1] + having[-1:]}
        self._handles: list[RemovableHandle] = [
            parameter.register_post_accumulate_grad_hook(self._arrived)  # type: ignore[no-untyped-call]  # torch leaves it untyped
            for parameter in ends.values()
        ]

    @untraced
    def _arrived(self, parameter: Tensor) -> None:
        if self._began() and not self._queued:
            self._queued = True
            when_backward_has_ended(self._backward_ended)

    @untraced
    def _backward_ended(self) -> None:
        self._queued = False
        self._ended()

    def close(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
