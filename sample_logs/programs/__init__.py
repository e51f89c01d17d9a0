"""The programs behind the sample logs: a pair a rule, one program sick and one healthy. One topic of rules a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TypeAlias

# Bytes that one run may take: logs with nothing but curves take far less. `watch(..., disk=DISK)` keeps to it.
DISK = 60_000

Training: TypeAlias = Callable[[Path], object]  # trains for real, and logs into the folder, which does not exist yet


@dataclass(frozen=True)
class Pair:
    """An illness, trained for real, and the same program without it."""

    rule: str  # name of the rule that finds it
    what: str  # what is wrong in the sick program, in one sentence
    sick: Training
    healthy: Training


def all_pairs() -> dict[str, Pair]:
    """Return every pair by the name of its rule: those that the modules of this package hold in `PAIRS`."""
    modules = [import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)]
    return {pair.rule: pair for module in modules for pair in module.PAIRS}
