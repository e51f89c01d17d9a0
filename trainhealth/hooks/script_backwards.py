"""Counts the backwards that a script makes for an update: many may be meant, or the update is in the wrong place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.parameter import UninitializedParameter

from trainhealth.hooks.probes.gradients import dense_values, norms

if TYPE_CHECKING:
    from trainhealth.hooks.recorder import Recorder

UPDATES = 4  # that are counted, after the first one: what a loop does, it does from the start
SEVERAL = 4  # backwards an update that are worth a word; fewer are micro-batches, or losses of their own


class Backwards:
    """Tells the log, by facts, of updates that never come, and of many backwards for one.

    `backwards_without_update`: how many there were in a run without any update, whose weights nobody else has moved.
    `backwards_an_update`: the least over the first updates, and the least of them whose gradients were thrown away.
    """

    def __init__(self, recorder: Recorder, weights: Callable[[], Iterable[Tensor]]) -> None:
        self.never_used = True  # no update has come yet
        self.since = 0  # the last update
        self.discarded = 0  # of them: their gradients were set to zero before an update
        self._recorder = recorder
        self._weights = weights  # returns what an update should move
        self._counts: list[tuple[int, int]] = []
        self._norms: list[Tensor] = []  # of the weights, while no update has come

    def ended(self) -> None:
        """Count a backward."""
        self.since += 1
        if self.never_used and self.since == 2:  # a plain loop makes its first update before
            with self._recorder.guarded("backwards"):
                self._norms = _sizes(self._weights())

    def updated(self) -> None:
        """Count an update."""
        if len(self._counts) < UPDATES and not self.never_used:
            self._counts.append((self.since, self.discarded))
            backwards, discarded = (min(counts) for counts in zip(*self._counts, strict=True))
            if len(self._counts) == UPDATES and backwards >= SEVERAL:
                counted = {"backwards": backwards, "discarded": discarded}
                self._recorder.learn("backwards_an_update", counted)
        self.never_used, self.since, self.discarded = False, 0, 0

    def end(self) -> None:
        """The run is over: tell of an update that never came."""
        if not self.never_used or not self._norms:
            return
        with self._recorder.guarded("backwards"):
            now = _sizes(self._weights())
            if len(now) == len(self._norms) and all(map(torch.equal, now, self._norms)):
                self._recorder.learn("backwards_without_update", self.since)


def _sizes(weights: Iterable[Tensor]) -> list[Tensor]:
    there = [w for w in weights if not isinstance(w, UninitializedParameter) and w.device.type != "meta"]
    return norms([dense_values(weight) for weight in there]) if there else []
