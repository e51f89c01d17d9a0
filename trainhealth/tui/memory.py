"""What a person has chosen in a folder of runs, and what was muted: remembered from one dashboard to the next.

One JSON file a folder, below the user's state folder. Remembering is a convenience: where it can't be read or written,
the dashboard begins with its defaults and says nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

_LONGEST_NAME = 40  # characters of the folder's name in the file's
MOST_RUNS = 500  # with muted findings, in one folder; the ones muted first are forgotten first

Choice = TypeVar("Choice", bool, int, float, str)


class Memory:
    """Remembers for the runs in `folder`; two dashboards on one folder overwrite single choices only.

    `root` is where the files stand (by default, the user's state folder).
    """

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        self._folder = _absolute(folder)
        self._root = root
        self._known: dict[str, Any] | None = None  # None: not read yet

    @classmethod
    def beside(cls, run: Path, root: Path | None = None) -> Memory:
        """Return the memory of the folder in which the run stands."""
        return cls(Path(_absolute(run)).parent, root)

    @property
    def file(self) -> Path:
        """Where it is kept: named after the folder, with its path's hash, since names repeat."""
        digest = hashlib.sha256(os.fsencode(self._folder)).hexdigest()[:16]
        return self._state_folder() / f"{Path(self._folder).name[:_LONGEST_NAME] or 'root'}-{digest}.json"

    def choice(self, name: str, default: Choice) -> Choice:
        """Return what was chosen; `default` where nothing was, or something of another type."""
        chosen = _table(self._content(), "choices").get(name)
        return chosen if type(chosen) is type(default) else default

    def choose(self, name: str, value: bool | int | float | str) -> None:
        """Remember a choice."""

        def put(content: dict[str, Any]) -> None:
            content["choices"] = {**_table(content, "choices"), name: value}

        self._change(put)

    def muted(self, run: str) -> set[str]:
        """Return the ids of the findings that are muted for a run; `run` is its name in the folder."""
        ids = _table(self._content(), "muted").get(run)
        return {each for each in ids if isinstance(each, str)} if isinstance(ids, list) else set()

    def set_muted(self, run: str, ids: set[str]) -> None:
        """Remember which findings are muted for a run."""

        def put(content: dict[str, Any]) -> None:
            others = {name: found for name, found in _table(content, "muted").items() if name != run}
            muted = {**others, run: sorted(ids)} if ids else others
            content["muted"] = dict(list(muted.items())[-MOST_RUNS:])

        self._change(put)

    def _content(self) -> dict[str, Any]:
        if self._known is None:
            self._known = self._read()
        return self._known

    def _read(self) -> dict[str, Any]:
        with suppress(OSError, RuntimeError, ValueError):  # not there, no home, not ours to read, no JSON
            content = json.loads(self.file.read_bytes())
            if isinstance(content, dict):
                return content
        return {}

    def _change(self, put: Callable[[dict[str, Any]], None]) -> None:
        """Change what stands in the file now, which another dashboard may have written since it was read here."""
        # where nothing can be kept, what was chosen here still holds until the end
        content = self._read() or dict(self._content())
        put(content)
        self._known = content
        with suppress(OSError, RuntimeError, ValueError):
            _replace(self.file, json.dumps({"folder": self._folder, **content}, indent=1).encode())

    def _state_folder(self) -> Path:
        if self._root is not None:
            return self._root
        from platformdirs import user_state_path

        return user_state_path("trainhealth", appauthor=False) / "folders"


def _absolute(path: Path) -> str:
    try:
        return str(path.absolute())
    except OSError:  # the current folder has been deleted
        return str(path)


def _table(content: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one table of the file; an empty one where there is none, or something else stands there."""
    table = content.get(name)
    return table if isinstance(table, dict) else {}


def _replace(path: Path, data: bytes) -> None:
    """Write a file in one piece: whoever reads it sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise
