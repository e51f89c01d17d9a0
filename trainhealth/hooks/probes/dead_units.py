"""Dead units: units of a ReLU that were zero for every example of a window of sampled batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from trainhealth.hooks.probes.base import Probe
from trainhealth.hooks.sample import Place, Sample

# A unit that is active on 1 % of examples looks dead over 8 batches of 32 with probability 0.99^256 = 0.08;
# over 3,000 examples with probability 8e-14.
BATCHES = 8
EXAMPLES = 3_000

CAN_DIE = frozenset({"relu", "relu6"})  # exactly zero, with a zero gradient, on half of the line


@dataclass(eq=False)
class _Window:
    """What one place has shown since the window began: the units that were active, on the device."""

    alive: Tensor  # bool [units]
    batches: int = 0
    examples: int = 0


class DeadUnits(Probe):
    """Collects, a place, the units that were active at least once; a full window gives the bit set of the rest.

    Decided on all examples of the sampled batches, never on a strided part of them.
    """

    name = "dead_units"
    signals = ("dead_fraction",)
    windows_hold: ClassVar[tuple[int, int]] = (BATCHES, EXAMPLES)

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}

    def layer_finished(self, place: Place, output: Tensor, sample: Sample) -> None:
        """Add one batch to the place's window."""
        window = self._add(place, output)
        if window is not None:
            window.batches += 1
            window.examples += output.shape[0 if place.unit_axis % output.dim() else 1]

    def layer_repeated(self, place: Place, output: Tensor, sample: Sample) -> None:
        """Add what further calls show of the same examples: a unit is dead only if it is zero in all of them."""
        self._add(place, output)

    def _add(self, place: Place, output: Tensor) -> _Window | None:
        if place.activation not in CAN_DIE or place.units <= 0 or output.dim() < 2:
            return None
        axis = place.unit_axis % output.dim()
        others = [dim for dim in range(output.dim()) if dim != axis]
        active = output.amax(dim=others) != 0  # outputs are never negative; a NaN is not zero
        window = self._windows.get(place.name)
        if window is None or window.alive.shape != active.shape:
            window = self._windows[place.name] = _Window(torch.zeros_like(active))
        window.alive |= active
        return window

    def full_windows(self) -> tuple[dict[str, Tensor], tuple[int, int]]:
        """Return the full windows' active units (bool [units] a place) with the least data that one held; begin anew.

        A place that is called less often than the others keeps its window until it is full.
        """
        full = {n: w for n, w in self._windows.items() if w.batches >= BATCHES and w.examples >= EXAMPLES}
        for name in full:
            del self._windows[name]
        least = (
            min((window.batches for window in full.values()), default=0),
            min((window.examples for window in full.values()), default=0),
        )
        return {name: window.alive for name, window in full.items()}, least


def bit_set(alive: Tensor) -> str:
    """Return the units that are not in `alive` (bool [units], on the host) as hexadecimal digits, unit 0 in bit 0.

    >>> bit_set(torch.tensor([True, False, False, True, False]))
    '16'
    """
    dead = 0
    for unit in torch.nonzero(~alive).flatten().tolist():
        dead |= 1 << unit
    return f"{dead:x}" if dead else ""
