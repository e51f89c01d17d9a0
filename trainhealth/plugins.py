"""The door for plugins: entry points, through which the built-in parts come as well.

A group's entry point is a function without arguments that returns the parts (classes or objects). A plugin that fails
to load costs one line on stderr with its name, version and cause, and so does one file of a package that is discovered;
the rest goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import walk_packages
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

BUILTIN = "builtin"  # name of the entry point through which our own parts come
GROUPS = ("trainhealth.rules", "trainhealth.readers", "trainhealth.probes", "trainhealth.reports")
ADAPTERS = "trainhealth.adapters"  # packages that the user's script imports: they are listed, and hand us no parts


@cache
def load(group: str) -> tuple[Any, ...]:
    """Return all parts of a group, the built-in ones first, then those of plugins in order of their names."""
    from importlib.metadata import entry_points  # dear to import, and a run of our own is shown without it

    points = sorted(entry_points(group=group), key=lambda point: (point.name != BUILTIN, point.name))
    parts: list[Any] = []
    for point in points:
        try:
            parts.extend(point.load()())
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a plugin may fail in any way; the rest must go on
            cause = f"{type(error).__name__}: {error}"
            sys.stderr.write(f"trainhealth: plugin {_label(point)} could not be loaded: {cause}\n")
    return tuple(parts)


def installed(group: str) -> list[EntryPoint]:
    """Return the plugins of a group in order of their names, none of them imported; without the built-in parts."""
    from importlib.metadata import entry_points  # as above

    return sorted((point for point in entry_points(group=group) if point.name != BUILTIN), key=lambda point: point.name)


def failure(point: EntryPoint) -> str | None:
    """Import a plugin and return what goes wrong; None where nothing does."""
    try:
        loaded = point.load()
        if point.group != ADAPTERS:
            tuple(loaded())
    except (Exception, SystemExit) as error:  # noqa: BLE001  # as above
        return f"{type(error).__name__}: {error}"
    return None


def _label(point: EntryPoint) -> str:
    distribution = point.dist
    return f"{point.name} ({distribution.name} {distribution.version})" if distribution else point.name


def discover(package: ModuleType, base: type) -> Iterator[Any]:
    """Yield every subclass of `base` defined below `package`: a new part is a new file, with no list to edit.

    A file that can't be imported costs one line on stderr, and the parts in it.
    """
    for name in _module_names(package):
        try:
            module = import_module(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # as above: one broken file must not hide the rest
            _report(name, error)
            continue
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, base) and value.__module__ == name and value is not base:
                yield value


def _module_names(package: ModuleType) -> Iterable[str]:
    def broken(name: str) -> None:
        _report(name, sys.exc_info()[1])

    found = walk_packages(package.__path__, f"{package.__name__}.", broken)
    return sorted(info.name for info in found if not info.ispkg)


def _report(name: str, error: BaseException | None) -> None:
    spec = find_spec(name)
    file = spec.origin if spec else name
    sys.stderr.write(f"trainhealth: {file} could not be loaded: {type(error).__name__}: {error}\n")
