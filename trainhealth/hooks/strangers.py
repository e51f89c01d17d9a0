"""Weights that a forward makes anew each time it runs: `nn.Linear(64, 10)(x)` in `forward` instead of `__init__`."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterable

from torch import Tensor

MOST = 64  # weights of one forward that are followed


class Strangers:
    """Follows the trainable weights of a sampled forward that belong to no module of the model.

    One that is gone when the second sampled forward after it ends, and has a successor of the same shape there, was
    made for one forward only (the script's last loss keeps the graph, and so the weight, for one more). Layers in plain
    lists, and other models that are called on the way, live on.
    """

    def __init__(self) -> None:
        self.made_anew: list[list[int]] = []  # shapes of the weights, once it is sure
        self._own: frozenset[int] = frozenset()
        self._now: list[tuple[weakref.ref[Tensor], list[int]]] = []
        self._before: deque[list[tuple[weakref.ref[Tensor], list[int]]]] = deque(maxlen=2)

    def forward_began(self, own: Iterable[Tensor]) -> None:
        """A forward of the model with the parameters `own` begins."""
        self._own = frozenset(map(id, own))
        self._now = []

    def used(self, weight: Tensor) -> None:
        """A linear layer or convolution was computed with `weight`."""
        if id(weight) not in self._own and weight.is_leaf and weight.requires_grad and len(self._now) < MOST:
            self._now.append((weakref.ref(weight), list(weight.shape)))

    def forward_ended(self) -> None:
        """The forward is over: compare it with the one before."""
        oldest = self._before[0] if len(self._before) == 2 else []
        gone = [shape for reference, shape in oldest if reference() is None]
        shapes = [shape for _, shape in self._now]
        self.made_anew = [shape for shape in gone if shape in shapes]
        self._before.append(self._now)
        self._now = []
