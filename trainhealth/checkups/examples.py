"""Batches as single examples: their bytes to compare, their numbers in rows, their labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from trainhealth.checkups.batches import Batches, split
from trainhealth.errors import UsageError
from trainhealth.hooks.tensors import existing, tensors_in


def inputs_and_target(batch: Any) -> tuple[list[Tensor], Tensor | None]:
    """Return the input tensors of a batch, and its target; without a target where nothing tells which it is."""
    try:
        arguments, named, target = split(batch)
    except UsageError:
        return _existing(batch), None
    return _existing((arguments, named)), target if isinstance(target, Tensor) else None


def _existing(value: Any) -> list[Tensor]:
    return [tensor for tensor in tensors_in(value) if existing(tensor) and tensor.dim()]


def first_inputs(batches: Batches) -> list[Tensor]:
    """Return the first input of every batch, those that have the shape of the first one behind the batch axis."""
    found = [inputs[0] for batch in batches if (inputs := inputs_and_target(batch)[0])]
    return [tensor for tensor in found if tensor.shape[1:] == found[0].shape[1:]]


def digests(batch: Any) -> list[bytes]:
    """Return a digest of every example's inputs: equal where all of them are equal to the bit."""
    inputs, _ = inputs_and_target(batch)
    if not inputs:
        return []
    count = len(inputs[0])
    parts = [tensor.detach().cpu() for tensor in inputs if len(tensor) == count]
    return [_digest(tensor[index] for tensor in parts) for index in range(count)]


def _digest(tensors: Iterable[Tensor]) -> bytes:
    found = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        found.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.digest()


def numbers_an_example(batch: Any) -> int:
    """Return how many numbers the inputs of one example are."""
    inputs, _ = inputs_and_target(batch)
    return sum(tensor[0].numel() for tensor in inputs if len(tensor))


def labels(batch: Any) -> list[int] | None:
    """Return the class of every example; None where the target is not one class an example."""
    _, target = inputs_and_target(batch)
    if target is None or target.is_floating_point() or target.is_complex() or target.dim() not in (1, 2):
        return None
    if target.dim() == 2 and target.shape[1] != 1:
        return None
    return [int(value) for value in target.reshape(-1).tolist()]


def rows(tensors: Sequence[Tensor]) -> Tensor:
    """Return the examples of batches [n, F] below each other: float64 [N, F]."""
    return torch.cat([tensor.detach().cpu().double() for tensor in tensors])
