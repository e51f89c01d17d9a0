"""The axis of values: from which to which value it goes, and where on it a value stands."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from trainhealth.tui.axis import Tick, linear_ticks, log_ticks

_LARGEST = sys.float_info.max / 4  # beyond this the difference of two values may overflow
_SMALLEST = 1e-280  # below this a range can't be divided into ticks
_LARGEST_POWER = 300.0  # beyond this an axis of powers of ten would end where floats do
_FLAT, _FLAT_POWERS = 1e-9, 0.01  # what differs by less (a share; powers of ten) is one value: float32 rounds to 1e-7
_AROUND_ONE_POWER = 0.3  # what is shown above and below a curve that has one value only
_AIR = 0.03  # of the range, above and below


@dataclass(frozen=True)
class Scale:
    """From `low` to `high`, on a logarithmic axis as powers of ten, over rows of cells of several dots each."""

    low: float
    high: float
    log: bool
    rows: int
    dots_a_row: int

    @property
    def ticks(self) -> list[Tick]:
        """The labelled values."""
        return (log_ticks if self.log else linear_ticks)(self.low, self.high, max(self.rows // 3, 2))

    def row(self, position: float) -> int:
        """Return the row of cells in which the dot at `position` lies; positions outside lie in the first or last."""
        dots = self.rows * self.dots_a_row
        inside = min(max(position, self.low), self.high)
        level = int((inside - self.low) / (self.high - self.low) * (dots - 1) + 0.5)
        return (dots - 1 - level) // self.dots_a_row

    def row_of(self, value: float) -> int:
        """Return the row of a value that stands on the axis."""
        return self.row(position(value, log=self.log))


def scale_for(positions: Sequence[float], rows: int, dots_a_row: int, *, log: bool) -> Scale:
    """Return a scale on which all positions lie, with a little air; from 0 to 1 where there are none."""
    if not positions:
        return Scale(0.0, 1.0, log, rows, dots_a_row)
    limit = _LARGEST_POWER if log else _LARGEST
    low, high = (min(max(end, -limit), limit) for end in (min(positions), max(positions)))
    air = _AIR * (high - low)
    if log and high - low < _FLAT_POWERS:
        air = _AROUND_ONE_POWER
    elif not log and high - low <= max(_FLAT * max(abs(low), abs(high)), _SMALLEST):
        air = 0.1 * abs(low) if abs(low) > _SMALLEST else 1.0
    return Scale(low - air, high + air, log, rows, dots_a_row)


def position(value: float, *, log: bool) -> float:
    """Return where a value stands; on a logarithmic axis it is positive."""
    return math.log10(value) if log else value
