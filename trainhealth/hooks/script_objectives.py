"""What a script calls backward on: the loss behind a loss scaler, and what it was computed from."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from torch import Tensor


class Objectives:
    """Knows the loss as the script computed it, where backward gets a multiple of it."""

    def __init__(self) -> None:
        self._scaled: tuple[weakref.ref[Tensor], Tensor] | None = None  # the newest scaled loss, and the true one

    def scaled(self, outputs: Any, results: tuple[Any, ...]) -> None:
        """Take down that a loss scaler has made the last of `results` of `outputs`."""
        if results and isinstance(outputs, Tensor) and isinstance(results[-1], Tensor):
            self._scaled = weakref.ref(results[-1], self._lost), outputs

    def _lost(self, result: weakref.ref[Tensor]) -> None:
        """No backward can come any more from a scaled loss that is gone: the graph of the true one must not stay."""
        if self._scaled is not None and self._scaled[0] is result:
            self._scaled = None

    def loss_among(self, tensors: Any) -> Tensor | None:
        """Return the loss in what backward was called on; None where that is no single number."""
        several = not isinstance(tensors, Tensor)
        loss = (tensors[0] if isinstance(tensors, Sequence) and len(tensors) == 1 else None) if several else tensors
        scaled, self._scaled = self._scaled, None
        if scaled is not None and scaled[0]() is loss:
            loss = scaled[1]
        return loss if isinstance(loss, Tensor) and loss.numel() == 1 else None  # else a GradientEdge, perhaps


def in_examples(pair: tuple[Tensor, Tensor] | None, examples: int | None) -> tuple[Tensor | None, Tensor | None]:
    """Return (outputs, targets) with one row an example, where a loss function was given [examples x time, …]."""
    if pair is None:
        return None, None
    outputs, targets = pair
    rows = targets.shape[0] if targets.dim() else 0
    if not examples or not rows or rows == examples:
        return outputs, targets
    if rows % examples or not outputs.dim() or outputs.shape[0] != rows:
        return None, None  # its rows are something else: they would be taken for examples
    return outputs.reshape(examples, -1, *outputs.shape[1:]), targets.reshape(examples, -1, *targets.shape[1:])
