"""What a reader is: it recognises a format and turns bytes, cut anywhere, into records."""

from __future__ import annotations

from typing import ClassVar

from trainhealth.records import Record, Skipped


class Reader:
    """Reads one file of one format.

    Any way of cutting the bytes into chunks gives the same records: `feed` keeps what is unfinished.
    """

    name: ClassVar[str]  # of the format, as people call it
    sample: ClassVar[tuple[str, bytes]]  # a file's name and its first lines, as real as possible: tests read them

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Return how surely a file that begins with `head` has this format, from 0 to 1. Never raises."""
        raise NotImplementedError  # abstract

    def feed(self, chunk: bytes) -> list[Record | Skipped]:
        """Return the records that `chunk` completes, and a `Skipped` for each line that can't be read."""
        raise NotImplementedError  # abstract

    def unfinished(self) -> int:
        """Return how many bytes wait for their end (a torn last line)."""
        return 0
