"""Keeps `torch.compile` from compiling our own code, where it runs among code of the user's that is being compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

try:
    from torch._C._dynamo.eval_frame import _FrameAction, _FrameExecStrategy, set_code_exec_strategy
except ImportError:  # torch 2.6 knows no such thing
    set_code_exec_strategy = None  # type: ignore[assignment]

_F = TypeVar("_F", bound=Callable[..., Any])


def untraced(function: _F) -> _F:
    """Mark a function that torch calls: it and all that it calls run as they are.

    After a graph break the compiler takes each Python function that is called, and so a hook of ours, which would be
    compiled again and again, and be asked what it does while compiling. Where the user's code is traced through the
    function, nothing changes.
    """
    return _skipped(function, inside=True)


def passing(function: _F) -> _F:
    """Mark a function that stands for one of torch's: it runs as it is, what it calls is compiled as without us."""
    return _skipped(function, inside=False)


def not_compiled(function: _F) -> _F:
    """Mark a function that the user calls: in compiled code it is a graph break, and `untraced`."""
    function._torchdynamo_disable = True  # type: ignore[attr-defined]  # what `torch.compiler.disable` sets
    return untraced(function)


def _skipped(function: _F, *, inside: bool) -> _F:
    if set_code_exec_strategy is not None:
        called = _FrameAction.SKIP if inside else _FrameAction.DEFAULT
        set_code_exec_strategy(function.__code__, _FrameExecStrategy(_FrameAction.SKIP, called))
    return function
