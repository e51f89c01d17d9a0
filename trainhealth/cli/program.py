"""Runs a Python program in this process as ``python SCRIPT`` or ``python -m MODULE`` would."""

from __future__ import annotations

import atexit
import importlib.machinery
import importlib.util
import io
import os
import signal
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, TracebackType

from trainhealth.errors import UsageError

OURS = str(Path(__file__).parent.parent) + os.sep
FROZEN = "<frozen "


class Program:
    """A script or a module that becomes `__main__`, with its own ``sys.argv`` and ``sys.path[0]``."""

    def __init__(self, name: str, arguments: Sequence[str], *, module: bool) -> None:
        """Find the program.

        Raises:
            UsageError: there is none, or it can't be read.
        """
        self.name = name
        self._main = types.ModuleType("__main__")
        if module:
            self._directory = os.getcwd()
            self._source = self._find_module(name)
        else:
            if not Path(name).is_file():
                what = "is a folder" if Path(name).is_dir() else "is not there"
                raise UsageError(f"the script {name!r} {what}", "Pass the Python file that trains.")
            self._directory = str(Path(name).resolve().parent)
            self._source = os.path.abspath(name)
            self._main.__loader__ = importlib.machinery.SourceFileLoader("__main__", self._source)
        self._main.__file__ = self._source
        vars(self._main)["__cached__"] = None
        vars(self._main)["__builtins__"] = __builtins__
        self._argv = [self._source if module else name, *arguments]
        self._interrupted = False
        # the first to be registered is called last: where Python itself ends by the signal, everything else is over
        atexit.register(self._end_as_interrupted)

    def run(self) -> BaseException | None:
        """Run it; return what it has raised."""
        sys.argv = self._argv
        if not sys.flags.safe_path:
            if sys.path and _is_first_entry(sys.path[0]):
                sys.path[0] = self._directory
            else:
                sys.path.insert(0, self._directory)
        sys.modules["__main__"] = self._main
        try:
            exec(self._code(), vars(self._main))
        except BaseException as error:  # noqa: BLE001  # it ends the program, and is told by `leave`
            _strip(error)
            return error
        return None

    def leave(self, error: BaseException | None) -> int:
        """Do with `error` what Python does with one that ends a program, and return the exit code.

        Raises:
            SystemExit: the program has; Python knows what to do with it.
        """
        if error is None:
            return 0
        if isinstance(error, SystemExit):
            raise error
        self._interrupted = isinstance(error, KeyboardInterrupt)
        return 1

    def tell(self, error: BaseException) -> None:
        """Print the traceback of `error`, or what the program has put in its place."""
        if isinstance(error, SystemExit):
            return
        try:
            sys.excepthook(type(error), error, error.__traceback__)
        except BaseException:  # noqa: BLE001  # a hook of the program's that fails
            sys.__excepthook__(type(error), error, error.__traceback__)

    def _code(self) -> CodeType:
        if self._main.__spec__ is not None:
            code: CodeType | None = self._main.__loader__.get_code(self._main.__spec__.name)  # type: ignore[union-attr]
            assert code is not None  # `_find_module` has seen it
            return code
        with io.open_code(self._source) as file:
            return compile(file.read(), self._source, "exec", dont_inherit=True)

    def _find_module(self, name: str) -> str:
        """Become the module `name`, or its `__main__` where it is a package; return where it is from."""
        sys.path.insert(0, self._directory)
        try:
            spec = importlib.util.find_spec(name)
            if spec is not None and spec.submodule_search_locations is not None:
                spec = importlib.util.find_spec(f"{name}.__main__")
        except ModuleNotFoundError as error:
            raise UsageError(f"there is no module {name!r}: {error}", "Name it as python -m would.") from error
        finally:
            sys.path.remove(self._directory)
        loader = spec.loader if spec is not None else None
        if spec is None or spec.origin is None or not hasattr(loader, "get_code"):
            raise UsageError(f"there is no module {name!r} that could be run", "Name it as python -m would.")
        self._main.__spec__, self._main.__loader__, self._main.__package__ = spec, loader, spec.parent
        return spec.origin

    def _end_as_interrupted(self) -> None:
        if self._interrupted:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)


def _is_first_entry(path: str) -> bool:
    """Tell whether `path` is what Python put first for our own command: its folder, or the current one (-m)."""
    ours = Path(sys.argv[0]).resolve().parent if sys.argv else None
    return path in ("", os.getcwd()) or Path(path).resolve() == ours


def _strip(error: BaseException) -> None:
    """Take our own frames out of the tracebacks of `error` and of the errors behind it."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = _without_ours(one.__traceback__)
        waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    frames = []
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(OURS):
            frames.append(trace)
        trace = trace.tb_next
    if not frames:
        return None  # a syntax error: the script has not begun
    for frame, following in zip(frames, [*frames[1:], None], strict=True):
        frame.tb_next = following
    return frames[0]
