"""Functions of torch that are replaced while a script is watched that knows nothing of it, and put back afterwards."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


class Patches:
    """Replaced functions, each calling the one that it stands for.

    What a script has taken for itself meanwhile (``from torch.nn.functional import cross_entropy``) stays ours after
    `restore`; therefore a replacement looks at `active` and does nothing but call the original where that is False.
    """

    def __init__(self) -> None:
        self.active = True
        self._replaced: list[tuple[Any, str, Callable[..., Any], Callable[..., Any]]] = []

    def replace(self, owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """Put ``make(original)`` in the place of the function `name` of a module or a class."""
        original = getattr(owner, name, None)
        if original is None:
            return  # another version of torch
        replacement = functools.wraps(original)(make(original))
        # what `torch.jit.script` compiles in the place of a function that it meets
        vars(replacement)["__prepare_scriptable__"] = lambda: original
        setattr(owner, name, replacement)
        self._replaced.append((owner, name, original, replacement))

    def restore(self) -> None:
        """Put the originals back, but where somebody else has replaced ours since."""
        self.active = False
        for owner, name, original, replacement in reversed(self._replaced):
            if getattr(owner, name, None) is replacement:
                setattr(owner, name, original)
        self._replaced = []
