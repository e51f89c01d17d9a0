"""Standard input as a log: ``python train.py 2>&1 | trainhealth live -``.

What comes in is kept in a temporary file, which the dashboard follows like any other log. Where stdout is no terminal,
it goes out again unchanged, so that the pipe can go on.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from contextlib import suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from trainhealth.errors import UsageError

CHUNK = 64 << 10
NAME = "standard-input.log"


class PipedLog:
    """Copies standard input into a file, in a thread, from the moment it is entered."""

    def __init__(self) -> None:
        try:
            self._source = os.dup(0)  # file descriptor 0 becomes the keyboard
        except OSError as error:
            raise UsageError(
                "standard input is closed", "Pipe a log in: python train.py | trainhealth live -"
            ) from error
        self._folder = Path(tempfile.mkdtemp(prefix="trainhealth-"))
        self.path = self._folder / NAME
        self.path.touch()
        self._passes_on = not sys.stdout.isatty()
        self._thread = threading.Thread(target=self._copy, name="trainhealth-stdin", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def wait(self) -> None:
        """Return when standard input has ended."""
        self._thread.join()

    def _copy(self) -> None:
        with self.path.open("ab", buffering=0) as log:
            while chunk := os.read(self._source, CHUNK):
                self._keep(log, chunk)
                if self._passes_on:
                    self._pass_on(chunk)
        os.close(self._source)

    def _keep(self, log: FileIO, chunk: bytes) -> None:
        """Write to the file; where the disk is full, what comes in goes out all the same."""
        with suppress(OSError):
            view = memoryview(chunk)
            while view:
                view = view[log.write(view) :]

    def _pass_on(self, chunk: bytes) -> None:
        """Write to stdout; where nobody reads it any more, the log is followed all the same."""
        try:
            view = memoryview(chunk)
            while view:
                view = view[os.write(1, view) :]
        except OSError:
            self._passes_on = False
