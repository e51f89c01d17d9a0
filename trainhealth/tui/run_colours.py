"""Colours of runs: each run has the same one wherever it is seen, and no two that are seen together share one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

LETTERS = "abcdefgh"  # that carry what the colours carry

# Starting from the colours of Okabe and Ito (Color Universal Design, 2008), which differ in lightness as well.
_DARK = ("#56b4e9", "#e69f00", "#4fd1a5", "#f0e442", "#ff7f6e", "#e08bc0", "#a99cff", "#c8cdd4")
_LIGHT = ("#0072b2", "#a85400", "#00755a", "#7d6a00", "#bd3527", "#9c3f86", "#5646bd", "#4a5260")
COLOURS = len(_DARK)  # as many as can be told apart


def run_colours(names: Iterable[str]) -> dict[str, int]:
    """Return the number of each run's colour, from 0: a name's hash says which one, and the first that comes has it."""
    taken: dict[str, int] = {}
    for name in names:
        wanted = int.from_bytes(hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=4).digest()) % COLOURS
        order = [(wanted + step) % COLOURS for step in range(COLOURS)]
        taken[name] = next((colour for colour in order if colour not in taken.values()), wanted)
    return taken


def run_role(colour: int) -> str:
    """Return the role of a run's colour.

    >>> run_role(0)
    'run-1'
    """
    return f"run-{colour + 1}"


def run_variables(*, dark: bool) -> dict[str, str]:
    """Return the style sheet's variables of the runs' colours, for dark or light themes."""
    return {run_role(number): colour for number, colour in enumerate(_DARK if dark else _LIGHT)}
