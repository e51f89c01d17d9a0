"""Finds what a script trains: the modules that own the parameters of its optimizers."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainhealth.hooks.own_hooks import RootHook
from trainhealth.hooks.scripting import hide_from_scripting

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

_T = TypeVar("_T")


class FirstForward(RootHook):
    """A pre-hook that waits for the first training forward; the watching that it begins sees that forward, too."""

    __slots__ = ()

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Begin the watching. torch goes on with the hooks that were there before, so the new one is called here."""
        if torch.compiler.is_compiling() or not torch.is_grad_enabled():
            return
        self._call(module)
        for hook in list(module._forward_pre_hooks.values()):
            if type(hook) is RootHook:
                hook._call(module, args, kwargs)  # from here: it looks at its callers by their number


class LooseTensors(nn.Module):
    """Holds the parameters of an optimizer that belong to no module (a regression from scratch, an image)."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        super().__init__()
        # not register_parameter: these need not be of class Parameter
        self._parameters.update({str(number): tensor for number, tensor in enumerate(tensors)})  # type: ignore[misc]


class Candidates:
    """Optimizers that were made and are not yet watched, and hooks on the models that they may train."""

    def __init__(self, first_forward: Callable[[nn.Module], None]) -> None:
        self._first_forward = first_forward
        self._optimizers: list[weakref.ref[Optimizer]] = []
        self._handles: list[RemovableHandle] = []

    def add(self, optimizer: Optimizer) -> None:
        """Take an optimizer whose training may begin."""
        if not any(known() is optimizer for known in self._optimizers):
            self._optimizers.append(weakref.ref(optimizer))
        self.wait()

    @property
    def optimizers(self) -> list[Optimizer]:
        """The optimizers that wait and are still there."""
        return [optimizer for known in self._optimizers if (optimizer := known()) is not None]

    def wait(self) -> None:
        """Wait for the first forward of any module that could be the model of a waiting optimizer."""
        self._take_off()
        hide_from_scripting()
        hooked: set[int] = set()
        for chain in chains(self.optimizers).values():
            for module in (module for link in chain for module in link):
                if id(module) not in hooked:
                    hooked.add(id(module))
                    hook = FirstForward(self._first_forward)
                    self._handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    def clear(self) -> None:
        """Forget them all."""
        self._take_off()
        self._optimizers = []

    def _take_off(self) -> None:
        handles, self._handles = self._handles, []
        for handle in handles:
            handle.remove()


def chains(optimizers: Iterable[Optimizer]) -> dict[int, list[list[nn.Module]]]:
    """Return, by the identity of each optimizer, the modules that could be called as its models.

    Each list begins with an outermost module and goes on inwards, as long as one child has all the parameters in
    question: a wrapper, the model, its backbone. What stands inside of a compiled module is left out.
    """
    modules = [thing for thing in gc.get_objects() if issubclass(type(thing), nn.Module)]
    modules = [module for module in modules if "_modules" in vars(module) and "_parameters" in vars(module)]
    inner = {id(child) for module in modules for child in module._modules.values()}
    outermost = [module for module in modules if id(module) not in inner]
    owned = [(module, {id(parameter) for parameter in module.parameters()}) for module in outermost]
    return {id(optimizer): list(_chains(optimizer, owned)) for optimizer in optimizers}


def _chains(optimizer: Optimizer, owned: list[tuple[nn.Module, set[int]]]) -> Iterator[list[nn.Module]]:
    left = {id(parameter) for parameter in parameters_of(optimizer)}
    while left and owned:
        root, having = max(owned, key=lambda pair: len(pair[1] & left))
        if not having & left:
            return
        yield list(_inwards(root, having & left))
        left -= having


def _inwards(module: nn.Module, wanted: set[int]) -> Iterator[nn.Module]:
    while True:
        yield module
        if type(module).__name__ == "OptimizedModule":
            return  # hooks inside would be compiled with it
        inside = [child for child in module.children() if wanted <= {id(p) for p in child.parameters()}]
        if len(inside) != 1:
            return
        module = inside[0]


def trained(optimizers: list[Optimizer], called: nn.Module | None) -> list[nn.Module]:
    """Return the models of `optimizers`, outermost ones, none of them inside of another.

    Args:
        optimizers: what trains them.
        called: the module that was called first: a module around it is not called, and so is no model.
    """
    models: list[nn.Module] = []
    loose: list[Tensor] = []
    found = chains(optimizers)
    around = _containing(called) if called is not None else lambda module: False
    for optimizer in optimizers:
        for chain in found[id(optimizer)]:
            if called is not None and any(module is called for module in chain):
                models.append(called)
            else:
                models.append(next((module for module in chain if not around(module)), chain[-1]))
        covered = {id(p) for chain in found[id(optimizer)] for p in chain[0].parameters()}
        loose += [parameter for parameter in parameters_of(optimizer) if id(parameter) not in covered]
    if loose:
        models.append(LooseTensors({id(tensor): tensor for tensor in loose}.values()))
    return [model for model in _once(models) if not any(_containing(model)(other) for other in models)]


def _containing(inner: nn.Module) -> Callable[[nn.Module], bool]:
    """Return the test whether a module is around `inner`."""
    return lambda module: module is not inner and any(part is inner for part in module.modules())


def _once(things: Iterable[_T]) -> list[_T]:
    return list({id(thing): thing for thing in things}.values())


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """Return the parameters in the groups of an optimizer."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def named(things: Iterable[_T]) -> dict[str, _T]:
    """Name things as the script's global variables do, else by their class; "" where there is only one."""
    things = _once(things)
    if len(things) == 1:
        return {"": things[0]}
    variables = {id(value): name for name, value in reversed(_globals())}
    names: dict[str, _T] = {}
    for thing in things:
        wanted = name = variables.get(id(thing), type(thing).__name__)
        number = 1
        while name in names:
            number += 1
            name = f"{wanted}_{number}"
        names[name] = thing
    return names


def named_after(models: Mapping[str, nn.Module], optimizers: Iterable[Optimizer]) -> dict[str, Optimizer]:
    """Name each optimizer as the only model that it trains, where no other does; else as `named` does."""
    names: dict[str, Optimizer] = {}
    plain = named(optimizers)
    for name, updater in plain.items():
        own = {id(parameter) for parameter in parameters_of(updater)}
        its = [model for model, module in models.items() if own & {id(p) for p in module.parameters()}]
        alone = len(its) == 1 and len(plain) == len(models) > 1 and its[0] not in names
        names[its[0] if alone else name] = updater
    return names


def _globals() -> list[tuple[str, Any]]:
    return list(vars(sys.modules["__main__"]).items())
