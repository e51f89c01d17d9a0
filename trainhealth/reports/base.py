"""What a report format is: it writes the diagnoses of one or more runs to a stream."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TextIO, TypeAlias

from trainhealth.errors import TrainHealthError

if TYPE_CHECKING:
    from trainhealth.diagnosis import Report  # loads numpy, which listings and recipes do without


@dataclass(frozen=True)
class Unreadable:
    """A run that could not be read, and why."""

    path: str
    error: TrainHealthError


Checked: TypeAlias = "Report | Unreadable"


class Format:
    """One way to write diagnoses, chosen by ``trainhealth check --format <name>``."""

    name: ClassVar[str]

    def write(self, checked: Iterable[Checked], out: TextIO) -> None:
        """Write what was found in each of `checked` to `out`.

        The runs may be diagnosed only as they are asked for: a format for people writes each as it comes. That a run
        can't be read is told on stderr by the caller; a document for programs holds it as well.
        """
        raise NotImplementedError  # abstract: only subclasses are called
