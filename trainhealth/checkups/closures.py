"""What a function of the user's reaches besides its arguments: models that a checkup could touch without a copy."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from types import FunctionType, MethodType
from typing import Any

from torch import nn


def modules_in(*functions: Any) -> list[nn.Module]:
    """Return the modules that functions have closed over, are bound to, or name as globals; each once."""
    found = {id(module): module for function in functions for value in _reached(function) for module in _modules(value)}
    return list(found.values())


def _reached(function: Any) -> Iterator[Any]:
    if isinstance(function, functools.partial):
        yield from (*function.args, *function.keywords.values())
        yield from _reached(function.func)
    elif isinstance(function, MethodType):
        yield function.__self__
        yield from vars(function.__self__).values() if hasattr(function.__self__, "__dict__") else ()
        yield from _reached(function.__func__)
    elif isinstance(function, FunctionType):
        for cell in function.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # the variable has no value yet
                continue
        yield from (function.__globals__.get(name) for name in function.__code__.co_names)
    elif hasattr(function, "__dict__"):
        yield from vars(function).values()


def _modules(value: Any) -> Iterable[nn.Module]:
    if isinstance(value, nn.Module):
        return [value]
    if isinstance(value, list | tuple):
        return [one for one in value[:16] if isinstance(one, nn.Module)]
    return []
