"""Rules: one diagnosis a file, in folders by topic; `engine` runs them."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from trainhealth.plugins import discover
from trainhealth.rules.base import Rule


def builtin() -> Iterator[type[Rule]]:
    """Yield the rules of this package (entry point of the group ``trainhealth.rules``)."""
    return discover(sys.modules[__name__], Rule)
