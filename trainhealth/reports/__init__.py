"""Reports: diagnoses -> text for people or documents for programs. One format a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from trainhealth.plugins import discover
from trainhealth.reports.base import Format


def builtin() -> Iterator[type[Format]]:
    """Yield the formats of this package (entry point of the group ``trainhealth.reports``)."""
    return discover(sys.modules[__name__], Format)
