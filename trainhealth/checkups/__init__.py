"""Checkups: the look before the long run, on copies. One check a file; torch is loaded by the checks alone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from trainhealth.plugins import discover

if TYPE_CHECKING:
    from trainhealth.checkups.base import Check


def all_checks() -> tuple[type[Check], ...]:
    """Return every check of this package in the order in which they run: a new check is a new file."""
    from trainhealth.checkups.base import Check

    return tuple(sorted(discover(sys.modules[__name__], Check), key=lambda check: (check.order, check.name)))
