"""What a checkup advises, as rows for people: a value's name, the value, and the reason where there is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from trainhealth.rules.base import number

REASON = "_because"  # a name that ends so holds the reason for the value without it


class Advised(NamedTuple):
    """A value to use, in words."""

    name: str
    value: str
    because: str


def advised(advice: Mapping[str, Any]) -> Iterator[Advised]:
    """Yield the values that fit in a line; tables are for the JSON report."""
    for name, value in advice.items():
        text = _text(value)
        if text and not name.endswith(REASON):
            yield Advised(name.replace("_", " "), text, str(advice.get(f"{name}{REASON}", "")))


def _text(value: Any) -> str:
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, list) and value and all(isinstance(one, int | float) for one in value):
        return ", ".join(map(number, value))
    if isinstance(value, Mapping) and all(isinstance(one, int | float) for one in value.values()):
        return ", ".join(f"{key}: {number(one)}" for key, one in value.items())
    return ""
