"""What a reader is: it recognises a format and turns bytes, cut anywhere, into records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from trainhealth.readers.names import Names
from trainhealth.records import Record, Skipped
from trainhealth.step_lines import Portion

DEFAULT_NAMES = Names()
PERCENT = "in per cent"  # what `Reader.unit_of` says of columns that become fractions


class Reader:
    """Reads one file of one format.

    Any way of cutting the bytes into chunks gives the same records: `feed` keeps what is unfinished. A format that
    consists of lines of text derives from `line_reader.LineReader`.

    A foreign log's numbers keep the names of their columns (`rows.Rows` makes records of them): what those mean is
    decided in ``foreign.py``, over the whole run, with the words of `Names` and with `split_of`.
    """

    name: ClassVar[str]  # of the format, as people call it
    sample: ClassVar[tuple[str, bytes]]  # a file's name and its first lines, as real as possible: tests read them
    files: ClassVar[tuple[str, ...]] = ()  # patterns of such files' paths below a run's folder: "metrics.csv"
    beside: ClassVar[tuple[str, ...]] = ()  # patterns of other formats' files that are of a run which has such a file
    foreign: ClassVar[bool] = True  # whether its columns have to be understood
    replaced: ClassVar[bool] = False  # its writer writes all of it again and again: that is no restart

    def __init__(self, names: Names = DEFAULT_NAMES, file: str = "") -> None:
        """`file` is the path below the run's folder: in some formats folder and file name say what is in it."""
        self.names = names
        self.file = file

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Return how surely a file that begins with `head` has this format, from 0 to 1. Never raises.

        1: nothing else begins so. 0.5: its structure fits, others' may as well. 0.1: if nobody else wants it.
        """
        raise NotImplementedError  # abstract

    def feed(self, chunk: bytes) -> list[Record | Skipped]:
        """Return the records that `chunk` completes, and a `Skipped` for each line that can't be read."""
        raise NotImplementedError  # abstract

    def portions(self, chunk: bytes) -> Iterable[list[Record | Skipped] | Portion]:
        """Return the same as `feed`, in portions that a `RunBuilder` takes, where steps may come as columns."""
        return [self.feed(chunk)]

    def settle(self) -> list[Record | Skipped]:
        """Return what is left when the file is complete: a last line without its end, a document cut short."""
        return []

    def unfinished(self) -> int:
        """Return how many bytes wait for their end (a torn last line)."""
        return 0

    def split_of(self, column: str) -> str:
        """Return the split of a column whose name does not say it: "train", "validation" or "test"."""
        return "train"

    def unit_of(self, column: str) -> str:
        """Return what a column's numbers are in this format, such as `PERCENT` or "in bits"; "" for nothing special."""
        return ""
