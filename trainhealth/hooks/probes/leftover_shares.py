"""Gradients that were not zeroed, where several models or optimizers take turns: one weight tells it for each."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from trainhealth.hooks.own_hooks import OwnHook
from trainhealth.hooks.probes.base import Probe
from trainhealth.hooks.probes.gradients import dense_values, norms
from trainhealth.hooks.sample import Parameter, Sample
from trainhealth.hooks.tensors import in_dispatch_mode

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

MOST = 16  # backwards of one step that are looked at


class LeftoverShares(Probe):
    """Takes, of the last weight of each optimizer, the gradient that no backward of the step has found zeroed.

    The one player's backward may leave gradients in the other, which are dropped before the other's own backward: so
    the least that any backward has found counts, as a share of what the optimizer then uses. A weight that gets
    gradients in a step without being moved is accumulated over steps: nothing is said of it. With one model and one
    optimizer `leftover_gradient_norm` tells it of all weights.
    """

    name = "leftover_shares"
    signals = ("leftover_share",)

    def __init__(self) -> None:
        self._models: weakref.WeakValueDictionary[int, nn.Module] = weakref.WeakValueDictionary()  # by identity
        self._weights: dict[int, weakref.ref[Tensor]] = {}  # one an optimizer, by identity
        self._updates = 0  # of this step
        self._several = False  # models or optimizers
        self._accumulated: set[int] = set()  # identities of weights
        self._hooks: dict[int, RemovableHandle] = {}  # on the weights, by identity
        self._standing: dict[int, list[Tensor | float]] = {}  # norms of what each backward has found, likewise
        self._errors: list[Exception] = []  # in a hook: raised where it does not reach the script's backward
        weakref.finalize(self, _remove, self._hooks)  # the sampler may be switched off in the middle of a step

    def forward_entered(self, model: nn.Module, sample: Sample) -> None:
        """Ask the weights, before the first backward of the step, to tell of the backwards that reach them."""
        self._models[id(model)] = model
        for identity, weight in self._weights.items() if self._several else ():
            parameter = weight()
            if parameter is not None and parameter.requires_grad and identity not in self._hooks:
                standing = self._standing.setdefault(identity, [])
                hook = OwnHook(_teller(weight, standing, self._errors))
                self._hooks[identity] = parameter.register_hook(hook)  # type: ignore[no-untyped-call]  # torch's

    def gradients_used(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """Put the share of the weight that stands for those which an optimizer is about to move."""
        if self._errors:
            raise self._errors.pop()
        self._updates += 1
        for parameter in parameters:
            standing, gradient = self._standing.pop(id(parameter.tensor), []), parameter.tensor.grad
            if standing and gradient is not None and id(parameter.tensor) not in self._accumulated:
                values = [norms([dense_values(gradient)])[0], *standing]
                sample.parameters("leftover_share", [parameter], *([value] for value in values), finish=_share)
        moved = [p.tensor for p in parameters if p.tensor.dim() >= 2 and p.tensor.grad is not None]
        if moved and not any(id(tensor) in self._weights for tensor in moved):
            self._weights[id(moved[-1])] = weakref.ref(moved[-1])

    def step_ended(self, sample: Sample) -> None:
        """Leave nothing in the models."""
        _remove(self._hooks)
        self._accumulated |= {weight for weight, standing in self._standing.items() if standing}
        self._standing = {}
        self._several = len(self._models) > 1 or self._updates > 1
        self._weights = {identity: weight for identity, weight in self._weights.items() if weight() is not None}
        self._updates = 0


def _remove(hooks: dict[int, RemovableHandle]) -> None:
    for hook in hooks.values():
        hook.remove()
    hooks.clear()


def _teller(
    weight: weakref.ref[Tensor], standing: list[Tensor | float], errors: list[Exception]
) -> Callable[[Tensor], None]:
    """Return a hook that notes how large the gradient is that stands in a weight before a new one is added."""

    def gradient_comes(_: Tensor) -> None:
        parameter = weight()
        if parameter is None or len(standing) >= MOST or in_dispatch_mode():
            return
        try:
            with torch._C.DisableTorchFunction(), torch.no_grad():
                left = parameter.grad
                standing.append(0.0 if left is None else norms([dense_values(left)])[0])
        except Exception as error:  # noqa: BLE001  # of memory that is out, say: the script's backward goes on
            errors[:] = [error]

    return gradient_comes


def _share(whole: float, *standing: float) -> float:
    """Return the least of what stood there, as a share of the whole; NaN where there is nothing to share."""
    return min(standing) / whole if whole > 0 else float("nan")
