"""What is wrong with a text in which no loss was found, and how its user says which number is the loss."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from trainhealth.errors import LogError
from trainhealth.lone_losses import NAMELESS, may_be_accuracy
from trainhealth.readers.lone_numbers import first_row
from trainhealth.readers.pairs import repeated_names
from trainhealth.series import RunView
from trainhealth.signals import SIGNALS

_LOOKED_AT = 100_000  # characters of a text, for names that its user may know
_SHOWN = 6  # of them
_LONGEST = 80  # letters of a line that is shown
_NOT_FOUND = "not a log that can be understood: no loss and no accuracy was found (read as text)"


def why_unread(target: Path, view: RunView) -> LogError | None:
    """Return the error for a text, with the first line of numbers in it; None where it has none, or was understood."""
    if not SIGNALS.keys().isdisjoint(view.scalars):
        return None
    if NAMELESS in view.scalars and may_be_accuracy(view.scalars[NAMELESS]):
        return LogError(
            f"{target}: the number behind the step begins low and rises: it may be a loss or an accuracy",
            f"Say what it is: {_mapped('train_loss', NAMELESS)} or {_mapped('train_accuracy', NAMELESS)}",
        )
    text = _beginning(target) if view.last_step < 0 else ""
    if names := repeated_names(text):
        found = f"{', '.join(names[:_SHOWN])}{' …' if len(names) > _SHOWN else ''}"
        return LogError(
            f"{target}: {_NOT_FOUND} among {found}{_first_line(text, names[0])}",
            f"Say which one is the loss, for example: {_mapped('train_loss', _likeliest(names))}",
        )
    if row := first_row(text):
        return LogError(
            f"{target}: {_NOT_FOUND}; line {row[0]} has numbers without names: {_cut(row[1])!r}",
            f"Say which of its columns are what, for example: {_mapped('train_loss', NAMELESS)}",
        )
    return None


def _mapped(signal: str, column: str) -> str:
    return f"--map {shlex.quote(f'{signal}={column}')}"


def _first_line(text: str, name: str) -> str:
    """Return where a name stands first before a number; "" where blanks were cut out of it."""
    before_number = re.compile(rf"(?<!\w){re.escape(name)}\W{{0,4}}\d")
    shown = ((number, line) for number, line in enumerate(text.splitlines(), start=1) if before_number.search(line))
    return next((f"; line {number} is {_cut(line.strip())!r}" for number, line in shown), "")


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} …"


def _likeliest(names: list[str]) -> str:
    """Return the name that is most likely that of the loss."""
    return next((name for name in names if {"total", "loss"} & set(name.lower().split())), names[0])


def _beginning(target: Path) -> str:
    """Return the beginning of a text; "" where it is gone, or no file."""
    try:
        with target.open(encoding="utf-8", errors="replace") as file:
            return file.read(_LOOKED_AT)
    except OSError:
        return ""  # it has just been read: what is to be said without names stays true
