"""Sees whether a script clips its gradients where that does something: between a backward and its update."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

UPDATES = 3  # in a row that tell: what a loop does, it does from the start
WITHOUT = 16  # updates in a row without any clipping: there is none


class ClippingPlace:
    """Where the clipping stands, as seen over the first updates; then it looks no more."""

    def __init__(self) -> None:
        self.settled = False
        self.limit = math.inf  # the least that was named outside of that place
        self._fresh = False  # there are gradients that no update has used
        self._outside = self._inside = False  # since the last update: clipped without any, and with
        self._misplaced = self._without = 0  # updates in a row: with clipping elsewhere, and without any

    def clipped(self, parameters: Any, limit: Any, owned: set[int]) -> None:
        """The script has clipped the gradients of `parameters`; `owned` are the identities of those that it trains."""
        listed = [parameters] if isinstance(parameters, Tensor) else parameters
        if isinstance(listed, Sequence) and not any(id(parameter) in owned for parameter in listed):
            return  # a perturbation, another model
        if isinstance(limit, int | float) and math.isfinite(limit):  # else the norm is all that was asked for
            self._inside |= self._fresh
            self._outside |= not self._fresh
            self.limit = self.limit if self._fresh else min(self.limit, float(limit))

    def backward_ended(self) -> None:
        """A backward of the training has returned."""
        self._fresh = True

    def updated(self) -> bool:
        """Take an update, or one that a scaler has skipped; return whether clipping is known to stand elsewhere."""
        misplaced = self._outside and self._fresh and not self._inside
        self.settled |= self._inside
        self._misplaced = self._misplaced + 1 if misplaced else 0
        self._without = 0 if self._outside or self._inside else self._without + 1
        self._fresh = self._outside = self._inside = False
        self.settled |= self._misplaced >= UPDATES or self._without >= WITHOUT
        return self._misplaced >= UPDATES
