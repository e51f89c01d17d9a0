"""Which forwards without gradients are an evaluation: a training step may hold such forwards too."""

from __future__ import annotations

import weakref
from typing import Any

from torch import Tensor, nn


class Evaluations:
    """Recognises the first forward of an evaluation among a model's forwards without gradients.

    In evaluation mode it is the first one after a step. In training mode (`eval()` was forgotten) it may as well belong
    to the training: pseudo-labels, the targets of a Q function. Those come in every step, each time with another
    tensor; so a forward counts where the step before had none, or where it gets the very tensor of the time before (a
    validation set that is kept in memory). Before the first step nothing is an evaluation: it is a look at shapes.
    """

    def __init__(self, first_step: int) -> None:
        self._first_step = first_step
        self._last = first_step  # the step before whose end the last forward without gradients came
        self._inputs: weakref.ref[Tensor] | None = None

    def begins(self, model: nn.Module, args: tuple[Any, ...], step: int) -> bool:
        """Tell whether this forward begins an evaluation; `step` is the next step."""
        last, self._last = self._last, step
        if step == last or step == self._first_step:
            return False
        if not model.training or last < step - 1:
            self._remember(args)
            return True
        known = self._inputs() if self._inputs is not None else None
        self._remember(args)
        return known is not None and bool(args) and known is args[0]

    def _remember(self, args: tuple[Any, ...]) -> None:
        self._inputs = weakref.ref(args[0]) if args and isinstance(args[0], Tensor) else None
