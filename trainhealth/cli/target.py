"""``module:function`` and ``path/script.py:function``: a function of the user's, found and called."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from trainhealth.errors import UsageError

_FORM = "Name a function without arguments: train.py:parts, or package.module:parts."


def returned_by(target: str) -> Any:
    """Return what the function that `target` names returns.

    A script is imported under its own name, so that what stands behind ``if __name__ == "__main__"`` is not run.

    Raises:
        UsageError: it can't be found, or raises.
    """
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name.isidentifier():
        raise UsageError(f"{target!r} names no function", _FORM)
    try:
        module = _script(Path(place)) if place.endswith(".py") else _module(place)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise _failed(place, error) from error
    function = getattr(module, name, None)
    if not callable(function):
        raise UsageError(f"{place} has no function {name!r}", _FORM)
    try:
        return function()
    except (Exception, SystemExit) as error:
        raise _failed(f"{target}()", error) from error


def _script(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"there is no file {str(path)!r}", _FORM)
    sys.path.insert(0, str(path.resolve().parent))  # as for python SCRIPT
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{str(path)!r} is no Python file", _FORM)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # pickling, dataclasses and spawned loader workers look it up by name
    spec.loader.exec_module(module)
    return module


def _module(name: str) -> ModuleType:
    sys.path.insert(0, os.getcwd())  # as for python -m
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name.startswith(error.name):
            raise UsageError(f"there is no module {name!r}", _FORM) from None
        raise


def _failed(what: str, error: BaseException) -> UsageError:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "trainhealth" not in frame.filename]
    ours = [frame for frame in frames if not frame.filename.startswith("<frozen")]
    where = f" ({ours[-1].filename}, line {ours[-1].lineno})" if ours else ""
    return UsageError(f"{what} raises {type(error).__name__}: {error}{where}", "It has to run without arguments.")
