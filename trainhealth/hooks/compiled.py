"""Compiled code: nothing of ours is on while it is traced or run; a second forward after the step shows its layers."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils._device import DeviceContext
from torch.utils._pytree import tree_any, tree_map

EXAMPLES = 64  # of a batch that the second forward gets at most

Arguments: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]

_leaving: list[Callable[[], None]] = []  # who wants to be told, while its forward runs


def tell_before_compiled_code(leave: Callable[[], None]) -> None:
    """Have `leave` called whenever something compiled by `torch.compile` is about to run, until `no_longer_tell`.

    A compiled function is traced with the function modes and hooks that are on, and guarded by them: ours would be
    compiled into the user's graphs. torch has no hook for that moment; every compiled callable asks one function which
    compiler is in force, which is replaced for as long as a forward is being looked at.
    """
    from torch._dynamo import eval_frame

    if not _leaving:
        _original.append(eval_frame._callback_from_stance)
        eval_frame._callback_from_stance = _callback_from_stance
    _leaving.append(leave)


def no_longer_tell(leave: Callable[[], None]) -> None:
    """Take back `tell_before_compiled_code`."""
    if leave in _leaving:
        _leaving.remove(leave)
        if not _leaving:
            from torch._dynamo import eval_frame

            eval_frame._callback_from_stance = _original.pop()  # type: ignore[assignment]  # it has a narrower type


_original: list[Callable[[Any], Any]] = []


def _callback_from_stance(callback: Any) -> Any:
    compiler = _original[0](callback) if _original else callback
    if compiler is not None:  # None: the code runs eagerly
        for leave in _leaving.copy():  # each takes itself off
            leave()
    return compiler


def first_examples(arguments: Arguments, batch_size: int | None) -> Arguments:
    """Return copies of a forward's arguments, cut to `EXAMPLES` along the first axis where that counts examples."""
    packed = tree_any(lambda leaf: isinstance(leaf, PackedSequence), arguments, lambda v: isinstance(v, PackedSequence))

    def part(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        whole = packed or not leaf.dim() or leaf.shape[0] != batch_size
        return (leaf.detach() if whole else leaf.detach()[:EXAMPLES]).clone()

    args, kwargs = tree_map(part, arguments)
    return args, kwargs


def can_run_again(model: nn.Module, ours: type) -> bool:
    """Tell whether a second forward would stay unnoticed.

    Hooks (but those of class `ours`) would see it, and so would a function mode (but one that only sets the device).
    Under a process group it might call a collective (SyncBatchNorm does) that the other ranks do not.
    """
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    modes = torch.overrides._get_current_function_mode_stack()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    hooked = any(
        not isinstance(hook, ours)
        for module in model.modules()
        for hook in (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
    )
    return not (distributed or hooked or any(type(mode) is not DeviceContext for mode in modes))


def run_again(model: nn.Module, arguments: Arguments) -> None:
    """Run the model eagerly on `arguments`; buffers, random states and attributes are then as they were."""
    args, kwargs = arguments
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with (
        torch._C._EnableTorchFunction(),  # a guard has switched it off
        torch.compiler.set_stance("force_eager"),
        _random_states_kept(model),
        _attributes_kept(model),
    ):
        torch.func.functional_call(model, buffers, args, kwargs)


@contextmanager
def _random_states_kept(model: nn.Module) -> Iterator[None]:
    devices = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    numpy = sys.modules.get("numpy")
    of_python, of_numpy = random.getstate(), numpy.random.get_state() if numpy else None
    with torch.random.fork_rng(devices):
        try:
            yield
        finally:
            random.setstate(of_python)
            if numpy:
                numpy.random.set_state(of_numpy)


@contextmanager
def _attributes_kept(model: nn.Module) -> Iterator[None]:
    """Put back what a forward sets on modules: a hidden state, a counter."""
    before = [(module, dict(vars(module))) for module in model.modules()]
    try:
        yield
    finally:
        for module, attributes in before:
            now = vars(module)
            for name in [name for name in now if name not in attributes]:
                del now[name]
            now.update({name: value for name, value in attributes.items() if now.get(name, now) is not value})
