"""The other runs of a folder, to compare a run's settings with; only the one that is asked for is read."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from trainhealth.errors import TrainHealthError
from trainhealth.following import INFO
from trainhealth.records import RunInfo, decode_info


class Neighbours:
    """The runs beside the one at `path`, those that began before it first, the newest of them first of all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder = path if path.is_dir() else path.parent
        self._found: list[Path] | None = None

    def info(self, number: int) -> tuple[str, RunInfo] | None:
        """Return the name and the settings of one of them (round and round); None where there is none to read."""
        files = self._files
        if not files:
            return None
        file = files[number % len(files)]
        with suppress(OSError, TrainHealthError):  # deleted, half written, of a newer version
            return file.parent.name, decode_info(file.read_bytes(), str(file))
        return None

    def __len__(self) -> int:
        return len(self._files)

    @property
    def _files(self) -> list[Path]:
        """The runs' descriptions, which are written when a run begins."""
        if self._found is None:
            dated: list[tuple[float, Path]] = []
            own = 0.0
            with suppress(OSError):
                for file in self._folder.absolute().parent.glob(f"*/{INFO}"):
                    with suppress(OSError):
                        written = file.stat().st_mtime
                        if file.parent.name == self._folder.absolute().name:
                            own = written
                        else:
                            dated.append((written, file))
            dated.sort(key=lambda one: (one[0] > own, -one[0] if one[0] <= own else one[0], str(one[1])))
            self._found = [file for _, file in dated]
        return self._found
