"""The user's own keys: ``[tool.trainhealth.keys]`` of the project over the file ``keys.toml`` of the person."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path

from textual.keys import Keys, format_key, key_to_character

from trainhealth.errors import UsageError
from trainhealth.tui.commands import ANYWHERE, SECTIONS, Command

FILE = "keys.toml"
_MODIFIERS = ("ctrl", "shift", "alt", "meta", "super", "hyper")
_NAMED = frozenset(key.value for key in Keys)


def load_keymap(project: Mapping[str, str], file: Path | None = None) -> dict[str, str]:
    """Return the keys that differ from the built-in ones, by the id of their command.

    `project` is what the project has set, which comes first; `file` is the person's (by default ``keys.toml`` in the
    user's configuration folder), in which a line is ``pause = "z"`` or ``pause = "z,space"``.

    Raises:
        UsageError: the file can't be read, a command or a key is not known, or a key would do two things.
    """
    path = file or _file()
    keymap: dict[str, str] = {}
    for where, table in ((str(path), _table(path)), ("[tool.trainhealth.keys]", project)):
        for name, keys in table.items():
            keymap[name] = _checked(where, name, keys)
    _check_clashes(keymap)
    return keymap


def shown_keys(command: Command, keymap: Mapping[str, str]) -> str:
    """Return the keys of a command as people call them."""
    if command.id not in keymap:
        return command.shown
    return " ".join(key if len(key) == 1 else format_key(key) for key in _parts(keymap[command.id]))


def _file() -> Path:
    from platformdirs import user_config_path

    return user_config_path("trainhealth", appauthor=False) / FILE


def _table(path: Path) -> Mapping[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}", "Check that you may read it.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: no valid TOML: {error}", 'Write lines such as pause = "z".') from error


def _checked(where: str, name: str, keys: object) -> str:
    known = [command.id for _, commands in SECTIONS for command in commands]
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(known)}."
        raise UsageError(f"{where}: the dashboard has no command {name!r}", hint)
    if not isinstance(keys, str) or not _parts(keys):
        raise UsageError(f"{where}: {name} = {keys!r} names no key", f'Write {name} = "z".')
    for key in _parts(keys):
        *modifiers, base = key.split("+") if len(key) > 1 else [key]
        if any(each not in _MODIFIERS for each in modifiers) or not (base in _NAMED or key_to_character(base)):
            hint = "Keys are a, A, ?, space, enter, tab, f1, up, pagedown, ctrl+a … as Textual calls them."
            raise UsageError(f"{where}: {name}: there is no key {key!r}", hint)
    return ",".join(_parts(keys))


def _parts(keys: str) -> list[str]:
    """Return the keys of a list of keys; a comma alone is the key of that name."""
    return ["comma"] if keys == "," else [part.strip() for part in keys.split(",") if part.strip()]


def _check_clashes(keymap: Mapping[str, str]) -> None:
    """Raise UsageError where two commands that are there at the same time share a key."""
    for _, commands in SECTIONS:
        owners: dict[str, Command] = {}
        for command in dict.fromkeys((*commands, *ANYWHERE)):
            for key in _parts(keymap.get(command.id, command.keys)):
                named = _normal(key)
                other = owners.setdefault(named, command)
                if other is not command and {other.id, command.id} & keymap.keys():
                    raise UsageError(
                        f"the key {key!r} would be that of {other.id!r} and of {command.id!r}",
                        "Give one of them another key.",
                    )


def _normal(key: str) -> str:
    """Return one name for all names of a key: "question_mark" is "?"."""
    return key_to_character(key) or key
