"""What is measured in one sampled step: scalars that stay on the device until one copy brings them all over."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from trainhealth.records import Number


@dataclass(eq=False)
class Parameter:
    """A parameter that is watched: its position and name in the layout and the tensor itself."""

    index: int
    name: str
    tensor: torch.nn.Parameter


@dataclass(eq=False, frozen=True)
class Place:
    """A layer or activation function, as probes see it: its position in the layout and how to read its output."""

    index: int
    name: str
    activation: str | None
    unit_axis: int
    units: int


class Sample:
    """Collects 0-dimensional tensors by (table, signal, position); tables are "layers", "parameters" and "inputs"."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.cost = 0.0  # seconds of our own work in this step
        self.batch_size: int | None = None
        self.thinned: set[str] = set()  # layers of which a strided part was reduced
        self._keys: dict[tuple[str, str, int], int] = {}
        self._values: list[Tensor] = []

    def layer(self, signal: str, place: Place, value: Tensor) -> None:
        """Set a layer's value."""
        self._put(("layers", signal, place.index), value)

    def parameters(self, signal: str, of: Iterable[Parameter], values: Iterable[Tensor]) -> None:
        """Set the values of several parameters."""
        for parameter, value in zip(of, values, strict=True):
            self._put(("parameters", signal, parameter.index), value)

    def input(self, signal: str, value: Tensor) -> None:
        """Set a value of the batch that entered the model."""
        self._put(("inputs", signal, 0), value)

    def forget_layers(self) -> None:
        """Drop what a forward left behind that turned out to be no training forward."""
        for key in [key for key in self._keys if key[0] != "parameters"]:
            del self._keys[key]

    def stacked(self) -> list[Tensor]:
        """Return all values as float32 vectors, one a device."""
        used = sorted(set(self._keys.values()))
        renumbered = {old: new for new, old in enumerate(used)}
        self._keys = {key: renumbered[index] for key, index in self._keys.items()}
        values = [self._values[index].detach().to(torch.float32) for index in used]
        if not values:
            return []
        if len({value.device for value in values}) > 1:  # a model spread over devices: gather on the first one
            values = [value.to(values[0].device, non_blocking=True) for value in values]
        return [torch.stack(values)]

    def columns(self, host: Tensor, table: str, length: int) -> dict[str, list[Number | None]]:
        """Return the columns of `table` from what `stacked` gave, copied to the host; None where nothing was set."""
        numbers = host.tolist()
        columns: dict[str, list[Number | None]] = {}
        for (of, signal, position), index in self._keys.items():
            if of == table and position < length:
                columns.setdefault(signal, [None] * length)[position] = numbers[index]
        if table == "parameters":
            _drop_undefined_ratios(columns)
        return columns

    def _put(self, key: tuple[str, str, int], value: Tensor) -> None:
        self._keys[key] = len(self._values)
        self._values.append(value)


def _drop_undefined_ratios(columns: dict[str, list[Number | None]]) -> None:
    """A parameter that was zero (a bias at its start) has no update ratio: x/0 and 0/0 are no measurements."""
    norms, ratios = columns.get("parameter_norm"), columns.get("update_ratio")
    if norms is None or ratios is None:
        return
    for index, (norm, ratio) in enumerate(zip(norms, ratios, strict=True)):
        if isinstance(ratio, float) and not math.isfinite(ratio) and isinstance(norm, float) and math.isfinite(norm):
            ratios[index] = None
