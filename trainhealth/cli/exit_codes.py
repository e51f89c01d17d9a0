"""How ``trainhealth`` ends: a contract with scripts and CI, printed by ``trainhealth check --help``."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """An exit code and the sentence that explains it to people."""

    sentence: str

    def __new__(cls, value: int, sentence: str) -> ExitCode:
        """Return the member for `value`; `sentence` says when the program ends with it."""
        code = int.__new__(cls, value)
        code._value_ = value
        code.sentence = sentence
        return code

    OK = 0, "Nothing was found at or above --fail-on."
    FOUND = 1, "There is a finding at or above --fail-on."
    USAGE = 2, "The command line is wrong: an unknown command, option or name."
    UNREADABLE = 3, "A log can't be read (and no other log gives 1)."
    DEFECT = 70, "trainhealth itself failed: please report it."
    INTERRUPTED = 130, "Ctrl-C."
    PIPE_CLOSED = 141, "Whoever read stdout went away before the end (| head)."
