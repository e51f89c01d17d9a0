"""Finds a model that a script means to train and has given to no optimizer, while two optimizers hold another one."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.optim import Optimizer

from trainhealth.hooks.script_models import named, parameters_of

if TYPE_CHECKING:
    from trainhealth.hooks.recorder import Recorder

LOOKS = (8, 16)  # updates after which it looks: a model that has got gradients in between is being trained


class LeftOut:
    """Tells the log, by the fact `left_out`, of models that get gradients and no updates.

    Many a model gets gradients that nobody means to use (one that measures a perceptual loss). But where two optimizers
    hold the same parameters, one of them was meant for another model.
    """

    def __init__(self, recorder: Recorder, models: Iterable[nn.Module], optimizers: Iterable[Optimizer]) -> None:
        self._recorder = recorder
        self._models = list(models)  # that are trained
        self._optimizers = list(optimizers)
        self._updates = 0
        self._before: list[tuple[weakref.ref[nn.Module], weakref.ref[Tensor], int]] = []
        self.settled = not _held_twice(self._optimizers)

    def updated(self) -> None:
        """Count an update, and look around when it is time."""
        self._updates += 1
        if self._updates == LOOKS[0]:
            with self._recorder.guarded("left_out"):
                having = [(module, _gradient(module)) for module in self._candidates()]
                self._before = [(weakref.ref(m), weakref.ref(g), g._version) for m, g in having if g is not None]
        elif self._updates >= LOOKS[1]:
            self.settled = True
            with self._recorder.guarded("left_out"):
                self._tell()

    def _tell(self) -> None:
        found = []
        for reference, known, version in self._before:
            module = reference()
            gradient = _gradient(module) if module is not None else None
            if module is not None and gradient is not None and (gradient is not known() or gradient._version > version):
                found.append(module)
        if found:
            names = list(named([*found, *self._models]))[: len(found)]
            holding = list(named(_held_twice(self._optimizers)))
            self._recorder.learn("left_out", {"models": names, "optimizers": holding})

    def _candidates(self) -> list[nn.Module]:
        """Return the outermost modules of which no optimizer holds anything."""
        held = {id(parameter) for optimizer in self._optimizers for parameter in parameters_of(optimizer)}
        modules = [thing for thing in gc.get_objects() if issubclass(type(thing), nn.Module)]
        modules = [module for module in modules if "_modules" in vars(module) and "_parameters" in vars(module)]
        inner = {id(child) for module in modules for child in module._modules.values()}
        outermost = (module for module in modules if id(module) not in inner)
        return [module for module in outermost if not any(id(p) in held for p in module.parameters())]


def _held_twice(optimizers: list[Optimizer]) -> list[Optimizer]:
    """Return the optimizers whose parameters another one holds as well, one and all."""
    held = [(optimizer, {id(parameter) for parameter in parameters_of(optimizer)}) for optimizer in optimizers]
    return [one for one, own in held if any(own == others and other is not one for other, others in held)]


def _gradient(module: nn.Module) -> Tensor | None:
    """Return the first gradient in a module: every backward makes it anew, or writes to it."""
    return next((p.grad for p in module.parameters() if p.is_leaf and p.grad is not None), None)
