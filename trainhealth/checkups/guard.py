"""The user's things before and after a checkup: bit-identical, also after an exception or Ctrl-C.

A checkup works on copies. What it could still touch are things that copies share with the originals: random states,
what a loss function has closed over, samplers and data sets. They are remembered here and put back.
"""

from __future__ import annotations

import random
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

Restore: TypeAlias = Callable[[], None]

_DEPTH = 5  # levels of attributes of a loader that are searched for generators
_MOST = 2000  # objects looked at on the way
_OWN = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)


class Guard:
    """A context after which `objects` (models, optimizers, loaders, loss functions) and random states are as before."""

    def __init__(self, objects: Iterable[Any]) -> None:
        self._objects = [one for one in objects if one is not None]
        self._restores: list[Restore] = []

    def __enter__(self) -> Guard:
        self._restores = [*_of_process(), *random_states()]
        for one in self._objects:
            if isinstance(one, nn.Module):
                self._restores += _of_module(one)
            elif isinstance(one, Optimizer):
                self._restores += _of_optimizer(one)
            else:
                self._restores += loader_states(one)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _interrupts_later(), torch.no_grad():
            for restore in reversed(self._restores):
                restore()
        self._restores = []


def random_states() -> list[Restore]:
    """Return what puts the random states of Python, numpy and torch (all devices) back to where they are now."""
    python, of_numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    restores: list[Restore] = [
        lambda: random.setstate(python),
        lambda: np.random.set_state(of_numpy),
        lambda: torch.set_rng_state(cpu),
    ]
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # torch leaves it untyped
        states = torch.cuda.get_rng_state_all()
        restores.append(lambda: torch.cuda.set_rng_state_all(states))
    if torch.backends.mps.is_available():
        on_mps = torch.mps.get_rng_state()
        restores.append(lambda: torch.mps.set_rng_state(on_mps))
    return restores


def _of_process() -> list[Restore]:
    gradients, threads = torch.is_grad_enabled(), torch.get_num_threads()
    deterministic, warn = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    cudnn = (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark)
    dtype = torch.get_default_dtype()

    def restore() -> None:
        torch.set_grad_enabled(gradients)
        torch.set_default_dtype(dtype)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)

    return [restore]


def _of_module(model: nn.Module) -> Iterator[Restore]:
    """Remember parameters, buffers, gradients, flags and hooks; the values only where they change are put back."""
    for tensor in (*model.parameters(), *model.buffers()):
        yield _of_tensor(tensor)
    for module in model.modules():
        yield _of_flags(module)


def _of_tensor(tensor: Tensor) -> Restore:
    if nn.parameter.is_lazy(tensor):
        return lambda: None  # it has no values yet, and copies get their own
    values, requires_grad = tensor.detach().clone(), tensor.requires_grad
    gradient = tensor.grad
    of_gradient = None if gradient is None else gradient.detach().clone()

    def restore() -> None:
        if not _same(tensor, values):
            tensor.detach().copy_(values)
        if tensor.requires_grad != requires_grad:
            tensor.requires_grad_(requires_grad)
        if gradient is not None and of_gradient is not None and not _same(gradient, of_gradient):
            gradient.detach().copy_(of_gradient)
        if tensor.grad is not gradient:
            tensor.grad = gradient

    return restore


def _same(one: Tensor, other: Tensor) -> bool:
    """Tell whether two tensors of one shape hold the same bits (NaN is NaN)."""
    if one.layout is not torch.strided or one.is_quantized:
        return False
    return torch.equal(_bits(one), _bits(other))


def _bits(tensor: Tensor) -> Tensor:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8) if tensor.numel() else tensor.detach()


def _of_flags(module: nn.Module) -> Restore:
    training = module.training
    hooks = {name: dict(value) for name, value in vars(module).items() if name.endswith("_hooks") and value is not None}

    def restore() -> None:
        module.training = training
        for name, before in hooks.items():
            registered = vars(module)[name]
            if dict(registered) != before:
                registered.clear()
                registered.update(before)

    return restore


def _of_optimizer(optimizer: Optimizer) -> Iterator[Restore]:
    groups = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    state = {parameter: dict(of_one) for parameter, of_one in optimizer.state.items() if isinstance(of_one, Mapping)}
    for of_one in state.values():
        yield from (_of_tensor(value) for value in of_one.values() if isinstance(value, Tensor))
    yield from (_of_tensor(value) for group in groups for value in group.values() if isinstance(value, Tensor))

    def restore() -> None:
        for group, before in zip(optimizer.param_groups, groups, strict=True):
            group.update(before)
        for parameter in [one for one in optimizer.state if one not in state]:
            del optimizer.state[parameter]
        for parameter, before in state.items():
            optimizer.state[parameter].update(before)

    yield restore


def loader_states(loader: Any) -> Iterator[Restore]:
    """Yield what puts back generators and plain attributes of a loader, its samplers, its data set and their parts."""
    for one in _parts(loader):
        if isinstance(one, torch.Generator):
            yield _setting(one.set_state, one.get_state())
        elif isinstance(one, np.random.Generator):
            yield _setting(partial(setattr, one.bit_generator, "state"), one.bit_generator.state)
        elif isinstance(one, np.random.RandomState):
            yield _setting(one.set_state, one.get_state())
        elif isinstance(one, random.Random):
            yield _setting(one.setstate, one.getstate())
        elif not isinstance(one, nn.Module | list | tuple | Mapping):
            yield _of_attributes(one)


def _setting(function: Callable[[Any], Any], state: Any) -> Restore:
    def restore() -> None:
        function(state)

    return restore


def _of_attributes(one: Any) -> Restore:
    attributes = vars(one)
    before = dict(attributes)

    def restore() -> None:
        if len(attributes) != len(before) or any(attributes.get(name) is not value for name, value in before.items()):
            attributes.clear()
            attributes.update(before)

    return restore


def _parts(root: Any) -> Iterator[Any]:
    """Yield `root` and what it is made of, a few levels deep: generators, and objects with attributes."""
    seen: set[int] = set()
    level = [root]
    for _ in range(_DEPTH):
        following: list[Any] = []
        for one in level:
            if id(one) in seen or len(seen) > _MOST or isinstance(one, type | Tensor | np.ndarray):
                continue
            seen.add(id(one))
            if isinstance(one, _OWN):
                yield one
            elif isinstance(one, list | tuple):
                following += one[:16]
            elif isinstance(one, Mapping):
                following += list(one.values())[:16]
            elif hasattr(one, "__dict__") and not _is_code(one):
                yield one
                following += vars(one).values()
        level = following


def _is_code(one: Any) -> bool:
    """Tell whether `one` is a function, method or module of Python: code, which holds no state of a loader."""
    return type(one).__name__ in ("function", "method", "builtin_function_or_method", "module")


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Hold Ctrl-C back until everything is as it was."""
    if threading.current_thread() is not threading.main_thread() or sys.is_finalizing():
        yield
        return
    arrived: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: arrived.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if arrived:
            signal.raise_signal(signal.SIGINT)
