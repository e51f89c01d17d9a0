"""A project's settings: the table ``[tool.trainhealth]`` of the nearest ``pyproject.toml`` that has one.

[tool.trainhealth.rules.overfitting]
gap = 0.3                        # an option of a rule; `trainhealth explain overfitting` names them

[tool.trainhealth.map]
train_loss = "my_loss"           # what a foreign log's column means

[tool.trainhealth.keys]
pause = "z"                      # a key of the dashboard; its help names the commands
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainhealth.errors import UsageError
from trainhealth.readers.names import Names

FILE = "pyproject.toml"
TABLE = "[tool.trainhealth]"
_KEYS = ("rules", "map", "keys")


@dataclass(frozen=True)
class Config:
    """What a project has set: options by rule, how columns of foreign logs are understood, the dashboard's keys."""

    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    keys: Mapping[str, str] = field(default_factory=dict)  # by the id of the dashboard's command


def load_config(folder: Path | None = None) -> Config:
    """Return the settings that hold in `folder` (by default the current one): those of the nearest project above it.

    Raises:
        UsageError: the file can't be read or is no TOML, or the table has a key that is none of ours.
    """
    try:
        here = (folder or Path.cwd()).resolve()
    except OSError:  # the current folder has been deleted
        return Config()
    for parent in (here, *here.parents):
        table = _table(parent / FILE)
        if table is not None:
            return _config(table, parent / FILE)
    return Config()


def _table(file: Path) -> Mapping[str, Any] | None:
    """Return our table of a project's file; None where there is no such file or table."""
    try:
        data = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}", "Check that you may read it.") from error
    if b"trainhealth" not in data:
        return None
    try:
        tool = tomllib.loads(data.decode()).get("tool", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: no valid TOML: {error}", "Mend it, or take our table out of it.") from error
    table = tool.get("trainhealth") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise UsageError(f"{file}: tool.trainhealth is {table!r}, which is no table", f"Write {TABLE}.")
    return table


def _config(table: Mapping[str, Any], file: Path) -> Config:
    for key in table:
        if key not in _KEYS:
            close = difflib.get_close_matches(key, _KEYS, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(_KEYS)}."
            raise UsageError(f"{file}: {TABLE} has no key {key!r}", hint)
    rules, names = table.get("rules", {}), table.get("map", {})
    if not isinstance(rules, dict) or not all(isinstance(options, dict) for options in rules.values()):
        raise UsageError(f"{file}: the options of a rule are a table", "Write [tool.trainhealth.rules.<rule>].")
    if not isinstance(names, dict) or not all(isinstance(column, str) for column in names.values()):
        raise UsageError(
            f"{file}: {TABLE[:-1]}.map] maps signals to names of columns", 'Write, say, train_loss = "my_loss".'
        )
    keys = table.get("keys", {})
    if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys.values()):
        raise UsageError(f"{file}: {TABLE[:-1]}.keys] maps commands to keys", 'Write, say, pause = "z".')
    return Config(rules, Names(names), keys)
