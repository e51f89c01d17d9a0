"""What a tensor's graph leads to."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def leaves_of(tensor: Tensor) -> list[Tensor]:
    """Return the leaf tensors whose gradients a backward from `tensor` would fill, each once."""
    if tensor.grad_fn is None:
        return [tensor] if tensor.requires_grad else []
    leaves: dict[int, Tensor] = {}
    seen: set[Any] = {tensor.grad_fn}
    waiting: list[Any] = [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor):
            leaves[id(variable)] = variable
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)
    return list(leaves.values())
