"""Faults that only a checkup can see, one a file: what rules say in their docstrings, without torch."""

from __future__ import annotations

import sys

from trainhealth.plugins import discover
from trainhealth.rules.base import Fault


def all_faults() -> tuple[type[Fault], ...]:
    """Return every fault of this package in order of code."""
    return tuple(sorted(discover(sys.modules[__name__], Fault), key=lambda fault: fault.code))
