"""What a backward brings to the parameters, seen before ranks that train together average it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from trainhealth.hooks.own_hooks import OwnHook
from trainhealth.hooks.sample import Parameter

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle


class Arrivals:
    """Hooks on the parameters for the length of one backward, after the user's own.

    A hook on a parameter runs before the gradient is added to what stands there, and so before DDP, which waits for
    that, reduces it. They come when a backward has reached the model's output and not before: a compiled forward does
    not meet them, and no copy of the model has them.
    """

    def __init__(self, arrived: Callable[[Parameter, Tensor], None]) -> None:
        self._arrived = arrived
        self._hooks: list[tuple[Tensor, bool, RemovableHandle]] = []

    def begin(self, parameters: Sequence[Parameter]) -> None:
        """Look at the backward that is under way, if nobody does yet."""
        trained = [p for p in parameters if p.tensor.requires_grad and p.tensor.is_leaf and not p.sharded]
        if self._hooks or len({p.tensor.device for p in trained}) != 1:
            return  # of another device another thread may be going through the hooks right now
        for parameter in trained:
            tensor = parameter.tensor
            bare = tensor._backward_hooks is None
            handle = tensor.register_hook(OwnHook(self._hook(parameter)))  # type: ignore[no-untyped-call]  # torch's
            self._hooks.append((tensor, bare, handle))

    def end(self) -> None:
        """Leave nothing on the parameters: torch would go through an empty dictionary of hooks in each backward."""
        hooks, self._hooks = self._hooks, []
        for tensor, bare, handle in hooks:
            handle.remove()
            if bare and not tensor._backward_hooks:
                tensor._backward_hooks = None

    def _hook(self, parameter: Parameter) -> Callable[[Tensor], None]:
        def gradient_arrives(gradient: Tensor) -> None:
            self._arrived(parameter, gradient)

        return gradient_arrives
