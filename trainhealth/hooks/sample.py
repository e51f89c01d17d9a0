"""What is measured in one sampled step: scalars that stay on the device until one copy brings them all over."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from trainhealth.logged_numbers import Number

Finish: TypeAlias = Callable[..., float | None]  # None: there is no such value after all


@dataclass(eq=False)
class Parameter:
    """A parameter that is watched: its position and name in the layout and the tensor itself."""

    index: int
    name: str
    tensor: torch.nn.Parameter
    sharded: bool = False  # this process holds a part of it, and no other holds the same part


@dataclass(eq=False, frozen=True)
class Place:
    """A layer or activation function, as probes see it: its position in the layout and how to read its output."""

    index: int
    name: str
    activation: str | None
    unit_axis: int
    units: int


class Sample:
    """Collects values by (table, signal, position); tables are "layers", "parameters" and "batch".

    A value is a 0-dimensional tensor, which stays on the device until one copy brings all of them over, or a number
    that is known already; anything else is a `ValueError`. Several values make one with `finish`, on the host, where
    arithmetic costs no kernel.
    """

    def __init__(self, step: int) -> None:
        self.step = step
        self.cost = 0.0  # seconds of our own work in this step
        self.batch_size: int | None = None
        self.micro_batch = 0  # calls of `step` since the step began: the number of the present micro-batch
        self.loss_scale: Tensor | None = None  # the factor that is in the gradients, where a scaler has put one
        self.scale_in_use: Tensor | None = None  # … that a fused optimizer takes out only inside its step
        self.thinned: set[str] = set()  # layers of which a strided part was reduced
        self.failed: dict[str, Exception] = {}  # signals whose `finish` has raised
        self._entries: dict[tuple[str, str, int], tuple[tuple[Tensor | float, ...], Finish | None]] = {}
        self._stacked: list[Tensor] = []
        self.forward: object | None = None  # whose forward is being looked at right now
        self._of_forwards: dict[tuple[str, str, int], object] = {}  # what was put meanwhile, and by which forward

    def layer(self, signal: str, place: Place, *values: Tensor | float, finish: Finish | None = None) -> None:
        """Set a layer's value."""
        self._entries["layers", signal, place.index] = (_scalars(signal, values), finish)
        self._of_forwards["layers", signal, place.index] = self.forward

    def parameters(
        self, signal: str, of: Iterable[Parameter], *values: Iterable[Tensor | float], finish: Finish | None = None
    ) -> None:
        """Set the values of several parameters."""
        for parameter, *own in zip(of, *values, strict=True):
            self._entries["parameters", signal, parameter.index] = (_scalars(signal, tuple(own)), finish)

    def batch(self, signal: str, *values: Tensor | float, finish: Finish | None = None) -> None:
        """Set a value of the step's batch or update as a whole."""
        self._entries["batch", signal, 0] = (_scalars(signal, values), finish)
        self._of_forwards["batch", signal, 0] = self.forward

    def forget(self, forward: object) -> None:
        """Drop what a forward left behind that turned out to be no training forward."""
        for key in [key for key, owner in self._of_forwards.items() if owner is forward]:
            del self._entries[key], self._of_forwards[key]

    def drop(self, table: str, signal: str, positions: Iterable[int] = (0,)) -> None:
        """Take values back that turned out not to be what they seemed."""
        for position in positions:
            self._entries.pop((table, signal, position), None)
            self._of_forwards.pop((table, signal, position), None)

    @property
    def empty(self) -> bool:
        """Whether nothing has been measured."""
        return not self._entries

    def stacked(self) -> list[Tensor]:
        """Return all tensors as one vector (in a list; empty where there are none)."""
        self._stacked = [v for values, _ in self._entries.values() for v in values if isinstance(v, Tensor)]
        if self.loss_scale is not None:
            self._stacked.append(self.loss_scale.reshape(()))
        if not self._stacked:
            return []
        # a model spread over devices is gathered on an accelerator: a copy to the host would have to be waited for
        home = next((v.device for v in self._stacked if not v.is_cpu), self._stacked[0].device)
        # what is a double may be larger than a float32 can say
        wide = torch.float64 if any(v.dtype is torch.float64 for v in self._stacked) else torch.float32
        return [
            torch.stack(
                [
                    v if v.dtype is wide and v.device == home else v.to(home, wide, non_blocking=True)
                    for v in self._stacked
                ]
            )
        ]

    def columns(self, host: list[Tensor], lengths: Mapping[str, int]) -> dict[str, dict[str, list[Number | None]]]:
        """Return the tables' columns from what `stacked` gave, copied to the host.

        `lengths` says how many positions a table has; a position where nothing was set is None.
        """
        numbers_of_all = host[0].tolist() if host else []
        scale = numbers_of_all.pop() if self.loss_scale is not None else None
        arrived = iter(numbers_of_all)
        tables: dict[str, dict[str, list[Number | None]]] = {table: {} for table in lengths}
        for (table, signal, position), (values, finish) in self._entries.items():
            numbers = [next(arrived) if isinstance(value, Tensor) else value for value in values]
            if position < lengths[table]:
                column = tables[table].setdefault(signal, [None] * lengths[table])
                try:
                    column[position] = finish(*numbers) if finish else numbers[0]
                except Exception as error:  # noqa: BLE001  # of a probe's
                    self.failed[signal] = error
        if scale is not None:
            _unscale(tables["parameters"], scale)
            tables["batch"]["loss_scale"] = [scale]
        _drop_undefined_ratios(tables["parameters"])
        return tables


def _scalars(signal: str, values: tuple[Tensor | float, ...]) -> tuple[Tensor | float, ...]:
    """Return `values`.

    Raises:
        ValueError: one is no single number: raised inside the probe, so that it is this probe that is switched off.
    """
    for value in values:
        if isinstance(value, Tensor) and value.dim():
            raise ValueError(f"{signal} is a tensor of shape {list(value.shape)}: a value is a 0-dimensional one")
    return values


def largest_magnitude(low: float, high: float) -> float:
    """Return the largest absolute value of what lies between `low` and `high`; NaN where either is."""
    return math.nan if low != low or high != high else max(abs(low), abs(high))


def _unscale(columns: dict[str, list[Number | None]], scale: float) -> None:
    norms = columns.get("parameter_gradient_norm")
    if scale != 1.0 and norms is not None:
        columns["parameter_gradient_norm"] = [n / scale if isinstance(n, float) else n for n in norms]


def _drop_undefined_ratios(columns: dict[str, list[Number | None]]) -> None:
    """A parameter that was zero (a bias at its start) has no update ratio: x/0 and 0/0 are no measurements."""
    norms, ratios = columns.get("parameter_norm"), columns.get("update_ratio")
    if norms is None or ratios is None:
        return
    for index, (norm, ratio) in enumerate(zip(norms, ratios, strict=True)):
        if isinstance(ratio, float) and not math.isfinite(ratio) and isinstance(norm, float) and math.isfinite(norm):
            ratios[index] = None
