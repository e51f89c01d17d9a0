"""Probes: one signal (or a few that share their work) a file, each measured on sampled steps."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from trainhealth.hooks.probes.base import Probe
from trainhealth.plugins import discover


def builtin() -> Iterator[type[Probe]]:
    """Yield the probes of this package (entry point of the group ``trainhealth.probes``)."""
    return discover(sys.modules[__name__], Probe)
