"""Hooks of ours: copies and files of a model carry none of them, how they go; and which models are watched."""

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import Callable, Iterable
from types import FrameType
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.optim import optimizer

from trainhealth.hooks.untraced import untraced

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle


class OwnHook:
    """A hook of ours. Copies and pickles of the module that holds it get a hook that does nothing instead.

    `contextlib.nullcontext().__exit__` takes any arguments, returns None, and needs no trainhealth to be loaded again.
    """

    __slots__ = ("__weakref__", "_call")

    def __init__(self, call: Callable[..., None]) -> None:
        self._call = call

    @untraced
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


def take_off(handles: Iterable[RemovableHandle]) -> None:
    """Remove hooks of optimizers; inside an optimizer's step, have them do nothing until the next time outside of one.

    torch goes through the very dictionary that holds them, which must not change its size meanwhile.
    """
    _silenced.extend(handles)
    if not _in_an_update():
        while _silenced:
            _silenced.pop().remove()
    for handle in _silenced:
        hooks = handle.hooks_dict_ref()
        if hooks is not None and handle.id in hooks:
            hooks[handle.id] = contextlib.nullcontext().__exit__


def _in_an_update() -> bool:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename != optimizer.__file__:
        frame = frame.f_back
    return frame is not None


def claim(model: nn.Module) -> None:
    """Take down that somebody watches the model, also while no hook of ours is on it."""
    take_off(())  # what an earlier watch has left behind
    _watched[id(model)] = model


def let_go(model: nn.Module) -> None:
    """Take down that nobody does any more."""
    _watched.pop(id(model), None)


def watched(model: nn.Module) -> bool:
    """Tell whether somebody watches the model."""
    return _watched.get(id(model)) is model


_silenced: list[RemovableHandle] = []
_watched: weakref.WeakValueDictionary[int, nn.Module] = weakref.WeakValueDictionary()  # by id: not all have a hash
