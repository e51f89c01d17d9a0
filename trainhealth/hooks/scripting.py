"""Lets `torch.jit.script` compile a watched model: it compiles hooks, too, and ours are none that it could."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from torch import nn
from torch.jit import _recursive


def hide_from_scripting(kind: type) -> None:
    """Have scripting pass over pre-hooks of class `kind`.

    The function that collects a module's hooks is replaced, once; it gets a shallow copy of the module without ours.
    """
    collect: Callable[[nn.Module], Any] = _recursive.get_hook_stubs
    if getattr(collect, "hides", None) is kind:
        return

    def without_ours(module: nn.Module) -> Any:
        if any(isinstance(hook, kind) for hook in module._forward_pre_hooks.values()):
            hooks = [(key, hook) for key, hook in module._forward_pre_hooks.items() if not isinstance(hook, kind)]
            module = copy.copy(module)
            module._forward_pre_hooks = OrderedDict(hooks)
        return collect(module)

    without_ours.hides = kind  # type: ignore[attr-defined]  # a mark on a function
    _recursive.get_hook_stubs = without_ours
