"""Rules over searches for hyperparameters: one diagnosis a file."""

from __future__ import annotations

import sys

from trainhealth.plugins import discover
from trainhealth.rules.search_rule import SearchRule


def search_rules() -> tuple[type[SearchRule], ...]:
    """Return every rule of this package in order of code."""
    return tuple(sorted(discover(sys.modules[__name__], SearchRule), key=lambda rule: rule.code))
