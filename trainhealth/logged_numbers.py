"""The numbers of a log: how wide they may be, and how those that are not finite are written."""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeAlias

import msgspec

Number: TypeAlias = float | Literal["NaN", "Infinity", "-Infinity"]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53)]  # what a double holds exactly
LATEST = 253_402_300_799  # the last second that calendars of four digits know, in seconds since 1970
Time: TypeAlias = Annotated[float, msgspec.Meta(ge=-LATEST, le=LATEST)]
BitSet: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]*\Z")]  # hexadecimal; unit k is the bit worth 2**k

LARGEST = 1.7976e308  # anything beyond could round up to what no double holds
_NONFINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_float(number: Number | None) -> float:
    """Return the float that a logged number stands for; a missing one (null) is NaN."""
    if number is None:
        return math.nan
    if isinstance(number, str):
        return _NONFINITE[number]
    return number


def to_number(value: float) -> Number:
    """Return the logged number that stands for a float: the other way round."""
    if math.isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def number_text(value: float, digits: int) -> str:
    """Return `value` as JSON with `digits` significant digits; non-finite values as their strings."""
    if -LARGEST < value < LARGEST:
        return f"{value:.{digits}g}"
    return '"NaN"' if value != value else '"Infinity"' if value > 0 else '"-Infinity"'
