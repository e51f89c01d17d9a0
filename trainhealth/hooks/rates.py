"""The learning rates in force, as the optimizers' parameter groups hold them."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor
from torch.optim import Optimizer


class Rates:
    """Reads learning rates and tells when they have changed."""

    def __init__(self, optimizers: Iterable[Optimizer]) -> None:
        self._optimizers = tuple(optimizers)
        self._groups = -1  # how many there were when the largest was looked for
        self._largest = 0
        self._known: list[float] = []
        self._read: list[float] = []

    def read(self) -> None:
        """Remember the rates that the update now beginning will use (a scheduler may change them right after it)."""
        if len(self._optimizers) == 1 and self._groups == len(self._optimizers[0].param_groups) == 1:
            only = self._optimizers[0].param_groups[0].get("lr")  # the usual case, in a fraction of the time
            if type(only) is float:
                self._read = [only]
                return
        groups = [group for optimizer in self._optimizers for group in optimizer.param_groups]
        if len(groups) != self._groups:
            self._groups = len(groups)
            sizes = [sum(parameter.numel() for parameter in group["params"]) for group in groups]
            self._largest = sizes.index(max(sizes)) if sizes else 0
        # a rate that is a tensor on an accelerator (capturable optimizers) would make the stream wait: left as it was
        self._read = [
            rate if not isinstance(rate, Tensor) else float(rate) if rate.device.type == "cpu" else float("nan")
            for rate in (group.get("lr", float("nan")) for group in groups)
        ]

    def forget(self) -> None:
        """Return the rates as changed once more."""
        self._known = []

    def changes(self) -> tuple[float | None, list[float] | None]:
        """Return the main rate and (where groups differ) all rates, if they changed since they were last returned."""
        if self._read == self._known or not self._read:
            return None, None
        self._known = self._read
        main = float(self._read[self._largest])
        several = len(set(self._read)) > 1
        return (main if main == main else None), ([float(rate) for rate in self._read] if several else None)
