"""Finding tensors in whatever a model takes and returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

DEPTH = 4  # levels of nesting that are looked into


def tensors_in(value: Any, depth: int = DEPTH) -> Iterator[Tensor]:
    """Yield the tensors in nested tuples, lists, mappings, dataclasses and packed sequences, in order."""
    if isinstance(value, Tensor):
        yield value
    elif depth == 0 or value is None or isinstance(value, str | bytes | int | float):
        return
    elif isinstance(value, PackedSequence):
        yield value.data
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_in(item, depth - 1)
    elif isinstance(value, tuple | list):
        for item in value[:16]:
            yield from tensors_in(item, depth - 1)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from tensors_in(getattr(value, field.name, None), depth - 1)


def prediction_in(value: Any) -> Tensor | None:
    """Return the prediction in what a model returned: what is called "logits", else the first measurable tensor.

    A 0-dimensional tensor (a loss that the model computes itself) is none. Only mappings and fields are asked for
    "logits": a property may compute something (that of a distribution does, and keeps it, without its graph).
    """
    named = None
    if isinstance(value, Mapping):
        named = value.get("logits")
    elif dataclasses.is_dataclass(value) and any(field.name == "logits" for field in dataclasses.fields(value)):
        named = getattr(value, "logits", None)
    tensors = (tensor for part in (named, value) for tensor in tensors_in(part))
    return next((tensor for tensor in tensors if tensor.dim() and measurable(tensor)), None)


def measurable(tensor: Tensor) -> bool:
    """Tell whether statistics of `tensor` mean anything: numbers with a point, that exist."""
    return tensor.is_floating_point() and existing(tensor)


def existing(tensor: Tensor) -> bool:
    """Tell whether the numbers of `tensor` can be looked at: not meta, fake, functorch, sparse or empty."""
    return (
        tensor.numel() > 0
        and tensor.device.type != "meta"
        and tensor.layout is torch.strided
        and type(tensor).__torch_dispatch__ is Tensor.__torch_dispatch__
        and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    )


def in_dispatch_mode() -> bool:
    """Tell whether a dispatch mode or a functorch transform of the user's is on: it would see what we do."""
    return torch._C._len_torch_dispatch_stack() > 0 or torch._C._functorch.peek_interpreter_stack() is not None
