"""Modules in plain lists and dictionaries: torch does not register them, and `parameters()` passes them by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import nn

LARGEST = 1000  # elements of a container that is looked through: more are data


def unregistered_modules(model: nn.Module, prefix: str = "") -> list[tuple[str, nn.Module]]:
    """Return what stands in lists, tuples and dictionaries of `model` and is no submodule, by its name in Python.

    >>> model = nn.Identity()
    >>> model.layers = [nn.Linear(2, 2)]
    >>> unregistered_modules(model)
    [('layers[0]', Linear(in_features=2, out_features=2, bias=True))]
    """
    known = {id(module) for module in model.modules()}
    found: list[tuple[str, nn.Module]] = []
    for name, module in model.named_modules():
        for attribute, value in list(vars(module).items()):
            for key, item in _items(value):
                if isinstance(item, nn.Module) and id(item) not in known:
                    known.add(id(item))
                    found.append((f"{prefix}{name}{'.' if name else ''}{attribute}[{key!r}]", item))
    return found


def reached_parameters(modules: Iterable[tuple[str, nn.Module]]) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the named parameters that hold a gradient between two steps.

    Those that an optimizer zeroes hold none then, and those of a teacher that is hidden on purpose never do.
    """
    for name, module in modules:
        for inner, parameter in module.named_parameters():
            if parameter.requires_grad and parameter.grad is not None:
                yield f"{name}.{inner}", parameter


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    if type(value) in (list, tuple) and len(value) <= LARGEST:
        return enumerate(value)
    return list(value.items()) if type(value) is dict and len(value) <= LARGEST else ()
