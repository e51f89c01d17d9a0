"""Warnings of our own: once each, and never an exception."""

from __future__ import annotations

import contextlib
import sys
import warnings

_said: set[str] = set()


class TrainHealthWarning(UserWarning):
    """Something about the watching, not about the training."""


def warn_once(message: str) -> None:
    """Warn, once a process for each message; where warnings are errors, on stderr: training must go on."""
    if message in _said:
        return
    _said.add(message)
    try:
        warnings.warn(message, TrainHealthWarning, stacklevel=4)
    except Exception:  # noqa: BLE001  # a filter that makes it an error, or a hook of the user's that fails
        with contextlib.suppress(Exception):
            sys.stderr.write(f"{message}\n")
