"""Amounts as people write them: steps, durations, numbers on axes."""

from __future__ import annotations

import math

_MULTIPLES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def count(number: int) -> str:
    """Return a whole number with its thousands apart.

    >>> count(7), count(123456)
    ('7', '123,456')
    """
    return f"{number:,}"


def short_count(number: int) -> str:
    """Return a whole number in at most five characters.

    >>> short_count(900), short_count(1500), short_count(12000), short_count(2_500_000)
    ('900', '1500', '12k', '2.5M')
    """
    if abs(number) < 10_000:
        return str(number)
    size, unit = next((size, unit) for size, unit in _MULTIPLES if abs(number) >= size)
    return f"{number / size:.3g}{unit}"


def duration(seconds: float) -> str:
    """Return a duration in its two largest units.

    >>> duration(0.01), duration(0.2), duration(42), duration(125), duration(3600), duration(7380), duration(200000)
    ('10 ms', '0.2 s', '42 s', '2 min', '1 h', '2 h 3 min', '2 d 8 h')
    """
    if seconds < 0.095:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min".removesuffix(" 0 min")
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24} h".removesuffix(" 0 h")


def short_duration(seconds: float) -> str:
    """Return a duration in one unit, in at most six characters.

    >>> short_duration(0.4), short_duration(90), short_duration(5000), short_duration(90000), short_duration(9e6)
    ('0 s', '90 s', '83 min', '25 h', '104 d')
    """
    for size, unit, most in ((1, "s", 100), (60, "min", 99.5), (3600, "h", 48)):
        if seconds / size < most:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def pace(steps_per_second: float) -> str:
    """Return a speed in the unit in which it is a handy number.

    >>> pace(118.2), pace(2.5), pace(0.1)
    ('118 steps/s', '2.5 steps/s', '10 s/step')
    """
    if steps_per_second < 1:
        return f"{1 / steps_per_second:.3g} s/step"
    return f"{steps_per_second:.0f} steps/s" if steps_per_second >= 9.95 else f"{steps_per_second:.1f} steps/s"


def figure(value: float) -> str:
    """Return a measured value in about five characters.

    >>> figure(0.3124), figure(12.345), figure(0.00012), figure(1e9), figure(float("nan")), figure(float("inf"))
    ('0.312', '12.3', '1.2e-4', '1.0e9', 'NaN', 'inf')
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        digits = max(0, 2 - math.floor(math.log10(abs(value))))
        return f"{value:.{min(digits, 4)}f}"
    return exponential(value, 1)


def exponential(value: float, digits: int) -> str:
    """Return a value in powers of ten, without the zeros that Python pads the exponent with.

    >>> exponential(1e-4, 0), exponential(-2.5e12, 1)
    ('1e-4', '-2.5e12')
    """
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return f"{mantissa}e{int(exponent)}"
