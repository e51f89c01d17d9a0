"""What goes to stderr: stdout is data, and nothing that is said about the work may stand in it."""

from __future__ import annotations

import sys

from trainhealth.errors import TrainHealthError


def say(line: str) -> None:
    """Write one line to stderr.

    What is already on stdout goes out first: in a terminal the two streams then stand in the order of events. Names of
    files must not be able to steer the terminal.
    """
    sys.stdout.flush()
    plain = "".join(character if character.isprintable() or character == "\n" else "�" for character in line)
    sys.stderr.write(f"{plain}\n")


def say_error(error: TrainHealthError) -> None:
    """Write the fact, and below it what to do."""
    say(f"error: {error.message}")
    if error.hint:
        say(f"  hint: {error.hint}")
