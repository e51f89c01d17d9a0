"""Lets `torch.jit.script` compile a watched model, and copies of it: it compiles hooks, too, and ours are no such."""

from __future__ import annotations

import contextlib
import copy
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn
from torch.jit import _recursive

from trainhealth.hooks.own_hooks import OwnHook

_HOOKS = ("_forward_hooks", "_forward_pre_hooks")  # of a module, those that are compiled


def hide_from_scripting() -> None:
    """Have scripting pass over hooks of ours, and over what stands for them in copies.

    The function that collects a module's hooks is replaced, once; it gets a shallow copy of the module without ours.
    """
    collect: Callable[[nn.Module], Any] = _recursive.get_hook_stubs
    if collect.__name__ == "without_ours":
        return

    def without_ours(module: nn.Module) -> Any:
        if any(_is_ours(hook) for kind in _HOOKS for hook in vars(module)[kind].values()):
            bare = copy.copy(module)
            vars(bare).update({kind: _others(vars(module)[kind]) for kind in _HOOKS})
            module = bare
        return collect(module)

    _recursive.get_hook_stubs = without_ours


def _others(hooks: Mapping[int, Any]) -> OrderedDict[int, Any]:
    return OrderedDict((key, hook) for key, hook in hooks.items() if not _is_ours(hook))


def _is_ours(hook: Any) -> bool:
    return isinstance(hook, OwnHook) or getattr(hook, "__func__", None) is contextlib.nullcontext.__exit__
