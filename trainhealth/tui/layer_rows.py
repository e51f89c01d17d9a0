"""Which rows the layers are shown in: all of them, those that hold the words of a search, or groups of modules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

_PARTS = re.compile(r"[^./]+[./]?")  # "features.0.weight" -> "features.", "0.", "weight"
_LEAST_GROUPS = 3  # fewer tell nothing: they are made only where somebody asks for them
_MANY = 2  # times as many places as lines: nobody would see them all, so they are grouped at first


@dataclass(frozen=True)
class Row:
    """A row of the heat map: one place, or the worst of a group of them."""

    name: str
    members: tuple[int, ...]  # the places that it stands for, by their positions
    is_group: bool = False
    is_open: bool = False  # a group whose members follow it
    is_member: bool = False  # of an open group


@dataclass(frozen=True)
class Choice:
    """What the user wants to see of the layers."""

    words: str = ""  # that names hold
    grouped: bool | None = None  # None: where there are many
    opened: frozenset[str] = frozenset()  # groups


@lru_cache(maxsize=8)
def arranged(places: tuple[str, ...], choice: Choice, most: int) -> tuple[Row, ...]:
    """Return the rows for a place of `most` lines, as the user has chosen."""
    chosen = matching(places, choice.words)
    if choice.grouped or (choice.grouped is None and len(chosen) > _MANY * most):
        groups = _groups(places, chosen, most)
        if choice.grouped or len(groups) >= _LEAST_GROUPS:
            return _rows(places, groups, choice.opened)
    return single_rows(places, chosen)


def matching(places: Sequence[str], words: str) -> list[int]:
    """Return the positions of the places that hold all words, in any case."""
    wanted = words.lower().split()
    return [number for number, place in enumerate(places) if all(word in place.lower() for word in wanted)]


def single_rows(places: Sequence[str], chosen: Iterable[int]) -> tuple[Row, ...]:
    """Return a row for every chosen place."""
    return tuple(Row(places[number], (number,)) for number in chosen)


def _rows(places: Sequence[str], groups: Mapping[str, Sequence[int]], opened: frozenset[str]) -> tuple[Row, ...]:
    """Return the rows of groups; an open one is followed by its members, and one place is no group."""
    rows: list[Row] = []
    for prefix, members in groups.items():
        if len(members) == 1:
            rows += single_rows(places, members)
            continue
        rows.append(Row(prefix, tuple(members), is_group=True, is_open=prefix in opened))
        if prefix in opened:
            rows += [Row(places[number], (number,), is_member=True) for number in members]
    return tuple(rows)


def _groups(places: Sequence[str], chosen: Sequence[int], most: int) -> dict[str, list[int]]:
    """Return the chosen places by the beginnings of their names, as deep as `most` groups allow.

    Where every depth that tells something makes more groups than that, the one with the fewest.
    """
    parts = {number: _PARTS.findall(places[number]) for number in chosen}
    by_depth = []
    for depth in range(max([1, *map(len, parts.values())]), 0, -1):
        groups: dict[str, list[int]] = {}
        for number in chosen:
            groups.setdefault("".join(parts[number][:depth]).rstrip("./"), []).append(number)
        by_depth.append(groups)
    telling = [groups for groups in by_depth if _LEAST_GROUPS <= len(groups) < len(chosen)]
    fitting = [groups for groups in telling if len(groups) <= most]
    return fitting[0] if fitting else telling[-1] if telling else by_depth[-1]
