"""Which layer's (or activation function's) output another layer gets, as the graph between them tells."""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor

DEPTH = 12  # nodes between two layers that are looked at

# what leaves a linear function linear: shapes, and dropout or other factors that nothing is learned about
_PASSING = frozenset(
    {
        "View", "UnsafeView", "ReshapeAlias", "Transpose", "T", "Permute", "Squeeze", "Unsqueeze", "Clone", "ToCopy",
        "Alias", "Mul", "Div", "NativeDropout", "AvgPool1D", "AvgPool2D", "AdaptiveAvgPool2D", "Mean",
    }
)  # fmt: skip


class Flow:
    """Remembers, for the length of one forward, which node of the graph stands for which layer's output."""

    def __init__(self) -> None:
        self._layers: dict[Any, str] = {}
        self.joined: set[str] = set()  # layers whose outputs enter a sum or product: residual connections, gates

    def finished(self, layer: str, output: Tensor) -> None:
        """Take down the output of a layer or activation function."""
        if output.grad_fn is not None:
            self._layers[output.grad_fn] = layer

    def source(self, entered: Tensor | None) -> str | None:
        """Return the layer whose output `entered` is, as it is or through nothing but linear operations.

        A node with two arguments that are learned (a sum, a gate) ends the search: that is no single source.
        """
        return self._search(None if entered is None else entered.grad_fn)

    def entered_function(self, output: Tensor) -> None:
        """Look at what an activation function got, of which `output` was made (perhaps in place)."""
        for node, _ in output.grad_fn.next_functions if output.grad_fn is not None else ():
            self._search(node)

    def _search(self, node: Any) -> str | None:
        for _ in range(DEPTH):
            if node is None or node in self._layers:
                return self._layers.get(node)
            before = [following for following, _ in node.next_functions if following is not None]
            if len(before) > 1:
                self.joined.update(self._layers[following] for following in before if following in self._layers)
            if len(before) != 1 or re.sub(r"Backward\d*$", "", node.name()) not in _PASSING:
                return None
            node = before[0]
        return None
