"""The learning rates in force, as the optimizers' parameter groups hold them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import Tensor, nn
from torch.optim import Optimizer


class Rates:
    """Reads learning rates and tells when they have changed."""

    def __init__(self, optimizers: Iterable[Optimizer]) -> None:
        self.changed = False  # since they were last returned
        self._optimizers = tuple(optimizers)
        self._only = self._optimizers[0] if len(self._optimizers) == 1 else None
        self.same: float | None = None  # the rate of the only group, as the very object that was read last
        self._groups = -1  # how many there were when the largest was looked for
        self._largest = 0  # which of them holds most parameters
        self._known: list[float | None] = []
        self._read: list[float | None] = []

    def read(self) -> None:
        """Remember the rates that the update now beginning will use (a scheduler may change them right after it)."""
        if self._only is not None and self._groups == 1 == len(self._only.param_groups):  # mostly so: in less time
            rate = self._only.param_groups[0].get("lr")
            if rate is self.same is not None:
                return
            if type(rate) is float:
                self.same, self._read = rate, [rate]
                self.changed = self._read != self._known
                return
        self.same = None
        groups = [group for optimizer in self._optimizers for group in optimizer.param_groups]
        if len(groups) != self._groups:
            self._groups = len(groups)
            sizes = [sum(_size(parameter) for parameter in group["params"]) for group in groups]
            self._largest = sizes.index(max(sizes)) if sizes else 0
        self._read = [_number(group.get("lr")) for group in groups]
        self.changed = self._read != self._known

    def changes(self) -> tuple[float | None, list[float] | None]:
        """Return the main rate and (where groups differ) all rates, if they changed since they were last returned."""
        if not self.changed:
            return None, None
        self._known, self.changed = self._read, False
        several = len(set(self._read)) > 1
        rates = [math.nan if rate is None else rate for rate in self._read]
        return self._read[self._largest], rates if several else None


def _size(parameter: Tensor) -> int:
    return 0 if isinstance(parameter, nn.parameter.UninitializedParameter) else parameter.numel()


def _number(rate: object) -> float | None:
    """Return a rate as a number; None where there is none, or where reading it would make an accelerator wait."""
    if isinstance(rate, Tensor):
        return float(rate) if rate.is_cpu and rate.numel() == 1 else None
    return float(rate) if isinstance(rate, int | float) else None
