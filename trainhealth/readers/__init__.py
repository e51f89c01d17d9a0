"""Readers: the bytes of a log -> records. One file a format; opening and waiting live in ``tail.py``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from trainhealth.plugins import discover
from trainhealth.readers.base import Reader


def builtin() -> Iterator[type[Reader]]:
    """Yield the readers of this package (entry point of the group ``trainhealth.readers``)."""
    # without a name it is what others derive from
    return (reader for reader in discover(sys.modules[__name__], Reader) if hasattr(reader, "name"))
