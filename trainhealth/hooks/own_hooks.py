"""Hooks of ours on modules: copies and files of a model carry none of them; and which models are watched."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from typing import Any

from torch import nn


class OwnHook:
    """A hook of ours. Copies and pickles of the module that holds it get a hook that does nothing instead.

    `contextlib.nullcontext().__exit__` takes any arguments, returns None, and needs no trainhealth to be loaded again.
    """

    __slots__ = ("__weakref__", "_call")

    def __init__(self, call: Callable[..., None]) -> None:
        self._call = call

    def __call__(self, *args: Any) -> None:
        """Do what the hook is for."""
        self._call(*args)

    def __deepcopy__(self, memo: dict[int, Any]) -> Callable[..., None]:
        return contextlib.nullcontext().__exit__

    def __copy__(self) -> Callable[..., None]:
        return contextlib.nullcontext().__exit__

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (contextlib.nullcontext(), "__exit__")


class RootHook(OwnHook):
    """The one hook that stays on a watched model: a pre-hook at its root."""

    __slots__ = ()

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Be called before every forward of the root."""
        self._call(module, args, kwargs)


def claim(model: nn.Module) -> None:
    """Take down that somebody watches the model, also while no hook of ours is on it."""
    _watched[id(model)] = model


def let_go(model: nn.Module) -> None:
    """Take down that nobody does any more."""
    _watched.pop(id(model), None)


def watched(model: nn.Module) -> bool:
    """Tell whether somebody watches the model."""
    return _watched.get(id(model)) is model


_watched: weakref.WeakValueDictionary[int, nn.Module] = weakref.WeakValueDictionary()  # by id: not all have a hash
