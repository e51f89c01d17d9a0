"""The one family of errors that users see: a fact, and what to do about it."""

from __future__ import annotations


class TrainHealthError(Exception):
    """An error with a message (the fact: file, line, value) and a hint (what to do).

    Everything that trainhealth raises on purpose derives from this class, so that a caller needs one
    ``except`` and the command line prints no traceback.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\n{hint}" if hint else message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[TrainHealthError], tuple[str, str]]:
        return type(self), (self.message, self.hint)


class UsageError(TrainHealthError):
    """The caller's arguments are off: an unknown option, a value out of range."""


class LogError(TrainHealthError):
    """A log can't be read: missing, empty, of no known format, or written by a newer version."""
