"""The wall between our code and the user's training: errors stay here, time is counted, torch's state is untouched."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import torch
from torch.utils._python_dispatch import _disable_current_modes

if TYPE_CHECKING:
    from trainhealth.hooks.governor import Governor


class Guarded(Protocol):
    """Whose code it is: told what it has cost, and how it has failed."""

    def charge(self, seconds: float) -> None:
        """Count time that was ours."""

    def failed(self, part: str, error: Exception) -> None:
        """Switch off what has raised `error`."""


class Guard:
    """A context in which our code runs inside the user's.

    Gradients are not recorded, no mode or tensor subclass of the user's sees our operations, the time is charged to the
    budget, and an exception switches off the part that raised, never the training.
    """

    __slots__ = ("_began", "_charged", "_dispatch", "_governor", "_gradients", "_owner", "_part", "_shield")

    def __init__(self, owner: Guarded, part: str, governor: Governor | None = None) -> None:
        self._owner = owner
        self._part = part
        self._governor = governor  # whose account tells what was charged inside (guards may stand in guards)

    def __enter__(self) -> None:
        self._began = time.perf_counter()
        self._charged = self._governor.spent if self._governor is not None else 0.0
        self._shield = torch._C.DisableTorchFunction()  # first: the user's mode must not see what follows
        self._shield.__enter__()
        self._dispatch = None
        try:
            if torch._C._len_torch_dispatch_stack():
                self._dispatch = _disable_current_modes()
                self._dispatch.__enter__()
            self._gradients = torch.is_grad_enabled()
            torch._C._set_grad_enabled(False)
        except BaseException:
            self._shield.__exit__(None, None, None)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        torch._C._set_grad_enabled(self._gradients)
        if self._dispatch is not None:
            self._dispatch.__exit__(None, None, None)
        self._shield.__exit__(None, None, None)
        inside = self._governor.spent - self._charged if self._governor is not None else 0.0
        self._owner.charge(time.perf_counter() - self._began - inside)
        if isinstance(error, Exception):
            self._owner.failed(self._part, error)
            return True
        return False
