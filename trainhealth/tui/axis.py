"""Nice ticks: where an axis is labelled, and with what."""

from __future__ import annotations

import math
from typing import NamedTuple

from trainhealth.tui.amounts import count, exponential, short_count

_MORE = 5  # ticks beyond what was asked for, until there are two: between two nice steps lies a factor of 2.5 at most


class Tick(NamedTuple):
    """A labelled place on an axis; on a logarithmic one `position` is the log10."""

    position: float
    label: str


def nice_step(span: float, most: int) -> float:
    """Return the smallest step of 1, 2 or 5 times a power of ten with at most `most` steps in `span`.

    >>> nice_step(100, 5), nice_step(0.7, 4)
    (20.0, 0.2)
    """
    raw = span / max(most, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= raw * (1 - 1e-9))


def linear_ticks(low: float, high: float, most: int) -> list[Tick]:
    """Return ticks at multiples of a nice step, about `most` of them: never only one, which would tell no scale.

    >>> [tick.label for tick in linear_ticks(0.3, 2.4, 4)]
    ['1', '2']
    """
    ticks: list[Tick] = []
    for number in range(most, most + _MORE):
        step = nice_step(high - low, number)
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        ticks = [Tick(k * step, _label(k * step, step)) for k in range(first, last + 1)]
        if len(ticks) >= 2:
            break
    return ticks


def log_ticks(low: float, high: float, most: int) -> list[Tick]:
    """Return ticks at powers of ten (or at 1, 2, 5 times one, within two decades); `low` and `high` are log10.

    >>> [tick.label for tick in log_ticks(-4.2, 1.5, 4)], [tick.label for tick in log_ticks(-0.8, 0.4, 6)]
    (['1e-4', '0.01', '1'], ['0.2', '0.5', '1', '2'])
    """
    decades = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    if len(decades) >= 2:
        stride = -(-len(decades) // max(most, 1))
        return [Tick(float(k), _label(10.0**k, 10.0**k)) for k in decades if (k - decades[0]) % stride == 0]
    fine = [
        (factor, power)
        for power in range(math.floor(low), math.ceil(high) + 1)
        for factor in (1, 2, 5)
        if low <= power + math.log10(factor) <= high
    ]
    if len(fine) >= 2:
        stride = -(-len(fine) // max(most, 1))
        return [Tick(p + math.log10(f), _label(f * 10.0**p, 10.0**p)) for f, p in fine[::-stride][::-1]]
    return [Tick(math.log10(value), text) for value, text in linear_ticks(10**low, 10**high, most) if value > 0]


def step_ticks(first: int, last: int, columns: int) -> list[Tick]:
    """Return ticks at whole steps, far enough apart for their labels; two of them, where there are two steps.

    >>> [tick.label for tick in step_ticks(0, 100, 36)], [tick.label for tick in step_ticks(1, 49, 24)]
    (['0', '50', '100'], ['20', '40'])
    """
    most = max(columns // 12, 2)
    ticks: list[Tick] = []
    for number in range(most, most + _MORE):
        step = max(round(nice_step(max(last - first, 1), number)), 1)
        ticks = [Tick(float(k), _step_label(k, step)) for k in range(-(-first // step) * step, last + 1, step)]
        if len(ticks) >= 2:
            break
    return ticks


def _step_label(step: int, apart: int) -> str:
    """Return a step in few characters; in full where those would not tell it from its neighbours.

    >>> _step_label(1_230_000, 10_000), _step_label(1_234_500, 500)
    ('1.23M', '1,234,500')
    """
    return short_count(step) if len({short_count(step + k * apart) for k in range(-1, 2)}) == 3 else count(step)


def _label(value: float, step: float) -> str:
    """Return `value` with the decimals that tell it from its neighbours, a step apart."""
    if value == 0:
        return "0"
    if abs(value) >= 1e5 or abs(value) < 1e-3:
        digits = max(math.floor(math.log10(abs(value)) + 1e-9) - math.floor(math.log10(step) + 1e-9), 0)
        return exponential(value, min(digits, 3))
    return f"{value:.{max(-math.floor(math.log10(step) + 1e-9), 0)}f}"
