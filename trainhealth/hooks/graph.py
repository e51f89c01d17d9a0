"""Walks over an autograd graph. Names, shapes and plain attributes of its nodes outlast the backward."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from torch import Tensor

DEPTH = 64  # nodes of the graph that are looked at: the loss function stands at its end
NAMES = 4  # nodes behind outputs that are named: the last activation stands there
PARAMETER = "torch::autograd::AccumulateGrad"
NOT_OF_THE_DATA = (PARAMETER, "TBackward0")  # parameters, and weights on their way


def kind(node: Any) -> str:
    """Return the name of the node's function, as "Softmax"."""
    return str(node.name()).partition("Backward")[0]


def before(node: Any) -> Any:
    """Return the node whose output was the first differentiable argument of `node`'s function; None where none was."""
    return next(iter(all_before(node)), None)


def all_before(node: Any) -> list[Any]:
    """Return the nodes whose outputs were the differentiable arguments of `node`'s function."""
    return [following for following, _ in node.next_functions if following is not None]


def behind(first: Any) -> Iterator[tuple[Any, bool]]:
    """Yield the nodes behind a loss, nearest first, each with whether it is part of a sum."""
    waiting: deque[tuple[Any, bool]] = deque([(first, False)])
    for _ in range(DEPTH):
        if not waiting:
            return
        node, composed = waiting.popleft()
        yield node, composed
        composed = composed or kind(node) in ("Add", "Sub")
        waiting.extend((following, composed) for following in all_before(node))


def names_from(first: Any) -> list[str]:
    """Return the names of the nodes from `first` on, nearest first, without parameters."""
    names: list[str] = []
    waiting: deque[Any] = deque([first])
    while waiting and len(names) < NAMES:
        node = waiting.popleft()
        if node.name() not in NOT_OF_THE_DATA:
            names.append(node.name())
            waiting.extend(all_before(node))
    return names


def kept(node: Any, name: str) -> Tensor | None:
    """Return the tensor `name` that a node keeps for its backward; None where it is gone, or is not to be touched.

    Hooks of the user's on saved tensors run whenever one is read: activation checkpointing computes its forward again
    (which moves the statistics of a batch norm), an offload takes the tensor out of its store.
    """
    try:
        packed = getattr(node, f"_raw_saved_{name}")
        if getattr(packed, "unpack_hook", packed) is not None:  # torch 2.6 does not tell whether there is one
            return None
        tensor = getattr(node, f"_saved_{name}")
    except (AttributeError, RuntimeError):
        return None
    return tensor if isinstance(tensor, Tensor) else None


def shape_of(node: Any) -> list[int]:
    """Return the shape of what the node's function returned; [] where it is a scalar or torch does not tell."""
    metadata = getattr(node, "_input_metadata", None)
    return [int(size) for size in metadata[0].shape] if metadata else []
