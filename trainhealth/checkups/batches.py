"""Batches for a checkup: drawn once from what the user has passed, and handed out as copies."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from trainhealth.errors import UsageError
from trainhealth.hooks.tensors import tensors_in

MOST_BYTES = 256 << 20  # that the buffer may take
DEPTH = 6  # levels of nesting of a batch that are moved to the model's device


class Batches(Sequence[Any]):
    """A buffer of batches on the model's device; each use gets a copy, because models may write into their inputs."""

    def __init__(self, batches: Sequence[Any]) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Batches: ...
    def __getitem__(self, index: int | slice) -> Any:
        return Batches(self._batches[index]) if isinstance(index, slice) else copy.deepcopy(self._batches[index])

    def chosen(self, indices: Iterable[int]) -> Batches:
        """Return those at `indices`."""
        return Batches([self._batches[index] for index in indices])

    def cycle(self, steps: int) -> Iterator[Any]:
        """Yield `steps` batches, from the first again after the last."""
        for step in range(steps):
            yield self[step % len(self)]


def draw(source: Any, device: torch.device, most: int, seconds: float) -> Batches:
    """Return up to `most` batches of `source`, fewer where they take longer than `seconds` or too much memory.

    Raises:
        UsageError: there is no batch, or `source` would be used up by drawing.
    """
    kept = _kept(_batches_of(source), device, most, seconds)
    if not kept:
        raise UsageError("there is no batch to look at: the loader is empty", "Pass a loader that yields batches.")
    return Batches(kept)


def draw_epochs(source: Any, device: torch.device, most: int, seconds: float) -> Batches:
    """Return up to `most` batches of `source`, over as many epochs as it takes, as `draw` does.

    A list of batches, or one batch, is the same in every epoch: it is drawn once.
    """
    if isinstance(source, Tensor | Mapping | tuple | list):
        return draw(source, device, most, seconds)
    return Batches(_kept(_epochs(source), device, most, seconds))


def _epochs(source: Any) -> Iterator[Any]:
    """Yield batches epoch after epoch, until one has none: so ends a stream that can't begin again."""
    while True:
        empty = True
        for batch in _batches_of(source):
            empty = False
            yield batch
        if empty:
            return


def _kept(batches: Iterable[Any], device: torch.device, most: int, seconds: float) -> list[Any]:
    began = time.monotonic()
    kept: list[Any] = []
    size = 0
    for batch in batches:
        kept.append(mapped(batch, lambda tensor: tensor.detach().to(device, copy=True)))
        size += sum(tensor.numel() * tensor.element_size() for tensor in tensors_in(batch))
        if len(kept) >= most or size > MOST_BYTES or time.monotonic() - began > seconds:
            break
    return kept


def length_of(source: Any) -> int | None:
    """Return the number of batches of a loader; None where it does not know."""
    if not isinstance(source, DataLoader):
        return None
    try:
        return len(source)
    except TypeError:  # a data set that only yields
        return None


def _batches_of(source: Any) -> Iterable[Any]:
    if isinstance(source, Tensor | Mapping | tuple):
        return [source]
    if isinstance(source, list) and source and not isinstance(source[0], tuple | list | Mapping):
        return source if _alike(source) else [source]  # [inputs, targets], as collate functions return it
    if isinstance(source, Iterator):
        raise UsageError(
            f"a {type(source).__name__} would be used up by the checkup",
            "Pass the loader itself, a list of batches, or one batch.",
        )
    if isinstance(source, DataLoader):
        return _untouched(source)
    if isinstance(source, Iterable):
        return source
    raise UsageError(
        f"a {type(source).__name__} is neither a batch nor a loader", "Pass (inputs, targets) or a loader."
    )


def _alike(tensors: list[Any]) -> bool:
    """Tell whether a list of tensors holds batches without targets: three or more of one kind, and one shape a row."""
    kinds = {(one.dtype, one.shape[1:]) if isinstance(one, Tensor) else None for one in tensors}
    return len(tensors) >= 3 and len(kinds) == 1 and None not in kinds


def _untouched(loader: DataLoader[Any]) -> DataLoader[Any]:
    """Return a loader over the same data whose iteration leaves the iterator of `loader` where it is."""
    twin = copy.copy(loader)
    vars(twin)["_iterator"] = None  # the loader forbids to set these after it was made
    vars(twin)["persistent_workers"] = False
    return twin


def mapped(value: Any, function: Callable[[Tensor], Tensor], depth: int = DEPTH) -> Any:
    """Return `value` with `function` applied to its tensors (numpy's arrays are made tensors)."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return function(torch.as_tensor(value))
    if depth == 0 or isinstance(value, str | bytes):
        return value
    if isinstance(value, Mapping):
        pairs = {key: mapped(item, function, depth - 1) for key, item in value.items()}
        return pairs if type(value) is dict else _like(value, pairs)
    if isinstance(value, tuple | list):
        items = [mapped(item, function, depth - 1) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else _like(value, items)
    return value


def _like(value: Any, content: Any) -> Any:
    """Return `content` in the user's own container, where that can be made of it; plain otherwise."""
    try:
        return type(value)(content)
    except Exception:  # noqa: BLE001  # a class of the user's may raise anything
        return content


def split(batch: Any) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
    """Return the positional inputs, the named inputs and the target of a batch.

    ``(inputs, …, target)``: the last is the target. A mapping: what is called like a target is the target, the rest
    are named inputs.

    Raises:
        UsageError: there is no telling which is which.
    """
    if isinstance(batch, Mapping):
        names = [name for name in batch if str(name).lower() in TARGETS]
        if len(names) == 1:
            return (), {name: item for name, item in batch.items() if name != names[0]}, batch[names[0]]
    elif isinstance(batch, tuple | list) and len(batch) >= 2:
        *inputs, target = batch
        if len(inputs) == 1 and isinstance(inputs[0], Mapping):
            return (), dict(inputs[0]), target
        return tuple(inputs), {}, target
    raise UsageError(
        f"a batch of type {type(batch).__name__} can't be split into inputs and targets",
        "Pass forward=, a function (model, batch) -> loss.",
    )


TARGETS = ("labels", "label", "targets", "target", "y")


def size_of(batch: Any) -> int | None:
    """Return the number of examples in a batch: the length of its target, or the most common first length."""
    try:
        target = split(batch)[2]
    except UsageError:
        target = None
    if isinstance(target, Tensor) and target.dim():
        return len(target)
    lengths = Counter(len(tensor) for tensor in tensors_in(batch) if tensor.dim())
    return lengths.most_common(1)[0][0] if lengths else None
