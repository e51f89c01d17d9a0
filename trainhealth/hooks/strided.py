"""Strided samples of parameters, gradients and optimizer state: bounded, however large the model is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

# Copies that outlive the call that made them take 64 MiB together at most: one of the parameters before the update,
# and three of gradients (the step before, the present one, the micro-batch before).
LARGEST_COPY = 60 << 20  # bytes
LARGEST_GRADIENTS = 1 << 18  # elements of float32, 1 MiB: a cosine is good to 1 / sqrt(2^18) = 0.002


def stride_for(sizes: Iterable[int], limit: int) -> int:
    """Return k such that every k-th element of tensors of these `sizes` makes about `limit` elements at most.

    k has no divisor in common with any of the sizes, so that no row, column or channel is passed over.
    """
    sizes = list(sizes)
    stride = max(1, -(-sum(sizes) // limit))
    distinct = set(sizes)
    while stride > 1 and any(math.gcd(stride, size) > 1 for size in distinct):
        stride += 1
    return stride


def flat(tensor: Tensor) -> Tensor:
    """Return the elements as a vector, in the order in which they stand in memory: a view of any dense tensor."""
    if not tensor.is_contiguous():  # a convolution's weight in channels_last
        tensor = tensor.permute(sorted(range(tensor.dim()), key=tensor.stride, reverse=True))
    return tensor.reshape(-1)


def every(stride: int, tensors: Iterable[Tensor]) -> list[Tensor]:
    """Return each tensor as a vector of every `stride`-th element."""
    return [
        t.as_strided((-(-t.numel() // stride),), (stride,)) if t.is_contiguous() else flat(t)[::stride] for t in tensors
    ]


def joined(tensors: Sequence[Tensor], stride: int) -> Tensor:
    """Return every `stride`-th element of all tensors as one float32 vector, on an accelerator where one has a part."""
    home = next((tensor.device for tensor in tensors if not tensor.is_cpu), torch.device("cpu"))
    parts = [part if part.device == home else part.to(home, non_blocking=True) for part in every(stride, tensors)]
    return torch.cat(parts).float() if parts else torch.zeros(0, dtype=torch.float32)


def stacked(tensors: Sequence[Tensor], limit: int) -> Iterator[tuple[list[int], Tensor]]:
    """Yield (positions in `tensors`, samples as a float32 matrix [tensors, elements]): those of one size together.

    Each tensor gives at most about `limit` elements. The matrix is a copy, and may be changed.
    """
    groups: dict[tuple[torch.device, torch.dtype, int], list[int]] = {}
    for position, tensor in enumerate(tensors):
        if tensor.numel():
            groups.setdefault((tensor.device, tensor.dtype, tensor.numel()), []).append(position)
    for (_, _, size), positions in groups.items():
        stride = stride_for([size], limit)
        yield positions, torch.stack(every(stride, (tensors[position] for position in positions))).float()
