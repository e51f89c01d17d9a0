"""Coarse to fine: the range of a setting in the next stage of a search."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from trainhealth.search.axes import Axis
from trainhealth.search.optimum import EDGE, Region
from trainhealth.search.trials import Value
from trainhealth.series import FloatArray

Edge: TypeAlias = Literal["lower", "upper"]

SURE = 0.7  # chance that the best value lies in the outer tenth, from which on it lies at the edge
CHANCE = 0.2  # the same where the best trial lies there, too
_MARGIN = 0.08  # of the old range, on both sides: the region's ends are not known better
_NARROWEST = 0.25  # of the old range: a search in stages should not lose the best in one of them
_LONGEST = math.log(10.0)  # that a logarithmic range goes on beyond its edge: a decade
_SHORTEST = math.log(3.0)
_KEPT = 0.1  # chance that a word is the best, from which on it stays in the search


@dataclass(frozen=True, slots=True)
class NextRange:
    """The next stage's values of one setting: a range, or a choice of `words` (one alone is a fixed value)."""

    name: str
    how: str  # "log-uniform", "uniform", "whole", "choice" or "fixed"
    low: float | None = None
    high: float | None = None
    choices: tuple[Value, ...] = ()
    because: str = ""


class Tried(NamedTuple):
    """What was tried of one setting: the best trial's value, and coordinates."""

    best: Value
    leading: FloatArray  # of the best trials, the best one first
    distinct: FloatArray  # of all trials, each once, in order
    failed: FloatArray  # of the trials without a score


def next_range(axis: Axis, region: Region | None, tried: Tried, *, idle: bool) -> NextRange:
    """Return where to look next.

    Between the best trial and the next values on both sides nothing is known, so that they are in the range. `idle`:
    enough trials say that the setting has no effect.
    """
    if region is None and not idle:
        return _whole(axis, "no effect is seen yet")
    if region is None:
        return NextRange(
            axis.name, "fixed", choices=(tried.best,), because="no effect is seen: the best trial's value will do"
        )
    if axis.kind == "words":
        ranked = sorted(region.shares, key=lambda word: -region.shares[word])
        kept = tuple(word for word in ranked if region.shares[word] >= _KEPT) or tuple(ranked[:1])
        dropped = len(ranked) > len(kept)
        because = "the others are hardly the best" if dropped else "none can be ruled out"
        return NextRange(axis.name, "choice", choices=kept, because=because)
    first, present = float(tried.leading[0]), tried.leading[tried.leading >= 0].tolist()
    low, high = min([region.low, *present]) - _MARGIN, max([region.high, *present]) + _MARGIN
    if first >= 0:  # the best trial has such a setting
        low = min([low, *tried.distinct[tried.distinct < first][-1:].tolist()])
        high = max([high, *tried.distinct[tried.distinct > first][:1].tolist()])
    missing = max(_NARROWEST - (high - low), 0.0)
    low, high = max(low - missing / 2, 0.0), min(high + missing / 2, 1.0)
    because = "the region of the best" if high - low < 0.95 else "the best may lie anywhere in it"
    reached = edge(axis, region, tried)
    if reached == "upper":
        high, because = 1.0 + _beyond(axis), "on beyond the upper edge"
    elif reached == "lower":
        low, because = -_beyond(axis), "on beyond the lower edge"
    return _rounded(axis, low, high, because)


def _whole(axis: Axis, because: str) -> NextRange:
    """Return all that was tried."""
    if axis.kind == "words":
        return NextRange(axis.name, "choice", choices=axis.words, because=because)
    return _rounded(axis, 0.0, 1.0, because)


def edge(axis: Axis, region: Region, tried: Tried, *, sure: float = SURE, chance: float = CHANCE) -> Edge | None:
    """Return the end of the range at which the best value lies, where values beyond that end exist.

    The chance of it is at least `sure`, or it is at least `chance` and the best trial lies in the outer tenth, too.
    Where trials beyond the best one failed in the outer tenth (a rate that diverges), the end is no open one.
    """
    best = float(tried.leading[0])
    lowest, highest = axis.natural
    lower = region.at_low > region.at_high
    if axis.kind == "words" or (lower and axis.zero):
        return None
    if lower:
        goes_on, there, share = axis.kind == "log" or axis.low > lowest, 0 <= best <= EDGE, region.at_low
        barred = (tried.failed >= 0) & (tried.failed <= min(best, EDGE))
    else:
        goes_on, there, share = axis.high < highest, best >= 1 - EDGE, region.at_high
        barred = tried.failed >= max(best, 1 - EDGE)
    if not goes_on or barred.any() or share < (chance if there else sure):
        return None
    return "lower" if lower else "upper"


def _beyond(axis: Axis) -> float:
    """Return how far the range goes on beyond its edge, as a coordinate."""
    if axis.kind == "linear":
        return 0.5
    width = math.log(axis.high / axis.low)
    return float(np.clip(width / 2, _SHORTEST, _LONGEST)) / width


def _rounded(axis: Axis, low: float, high: float, because: str) -> NextRange:
    ends = [axis.low, axis.high]
    for index, code in enumerate((low, high)):
        value = axis.value(code)
        ends[index] = value if isinstance(value, float) else math.nan
    lowest, highest = axis.natural
    first, last = max(ends[0], lowest), min(ends[1], highest)
    if axis.whole:
        scale = "log-uniform" if axis.kind == "log" else "whole"
        return NextRange(axis.name, scale, float(math.floor(first)), float(math.ceil(last)), because=because)
    if axis.kind == "log":
        return NextRange(
            axis.name, "log-uniform", _digits(first, math.floor), _digits(last, math.ceil), because=because
        )
    step = 10.0 ** math.floor(math.log10(max(last - first, 1e-12)) - 1)
    return NextRange(
        axis.name,
        "uniform",
        round(max(math.floor(first / step + 1e-9) * step, lowest), 12),
        round(min(math.ceil(last / step - 1e-9) * step, highest), 12),
        because=because,
    )


def _digits(value: float, rounding: Callable[[float], int]) -> float:
    """Return a positive value with two significant digits, rounded up or down."""
    if value <= 0:
        return 0.0
    power = math.floor(math.log10(value)) - 1
    return float(f"{rounding(round(value / 10.0**power, 9))}e{power}")
