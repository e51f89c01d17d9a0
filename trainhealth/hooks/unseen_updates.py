"""Updates that nobody has told us of: the script makes them with another optimizer than the one that is watched."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from torch import Tensor
from torch.optim import Optimizer

if TYPE_CHECKING:
    from trainhealth.hooks.recorder import Recorder

PATIENCE = 16  # calls of `step` without an update, or twice as many as any step has had, before the weights are asked
ASKED = 8  # parameters whose versions are compared


class UnseenUpdates:
    """Finds out, where calls of `step` pile up, whether the weights change all the same.

    Micro-batches leave the weights alone. An optimizer that is made anew in the middle of a run (after unfreezing, for
    a second phase) changes them, and without a look the log would end there: it is found among all objects and watched.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.unknown = False  # something that is no optimizer of torch makes them: each call of `step` is a step
        self._recorder = recorder
        self._most = 0  # calls that a step has had
        self._versions: list[int] | None = None  # of parameters, at the call before

    def step_ended(self, calls: int) -> None:
        """A step of so many calls of `step` has ended by an update."""
        self._most, self._versions = max(self._most, calls), None

    @property
    def patience(self) -> int:
        """How many calls of `step` may wait before they are looked at."""
        return max(PATIENCE, 2 * self._most)

    def found(self, waiting: int) -> bool:
        """Tell whether the `waiting` calls of `step` are steps; their optimizer is watched from here on."""
        if waiting < self.patience:
            return False
        before, self._versions = self._versions, [parameter._version for parameter in self._trained()[:ASKED]]
        if before is None or before == self._versions:
            return False
        others = self._optimizers()
        if others:
            names = ", ".join(type(optimizer).__name__ for optimizer in others)
            message = f"the weights are updated by another optimizer than the one that was given to watch: {names}"
            self._recorder.tell("optimizer-added", message)
            self._recorder.use_optimizers(others)
        else:
            self.unknown = True
            message = "the weights change without an update of the watched optimizer: each call of step() is a step"
            self._recorder.tell("updates-unseen", message)
        self._versions = None
        return True

    def _trained(self) -> list[Tensor]:
        groups = [group for optimizer in self._recorder.optimizers for group in optimizer.param_groups]
        return [parameter for group in groups for parameter in group["params"]]

    def _optimizers(self) -> list[Optimizer]:
        """Return the newest optimizers, each with parameters of the models, that nobody watches."""
        trained = {id(parameter) for parameter in self._trained()}
        known = {id(optimizer) for optimizer in self._recorder.optimizers}
        optimizers = [thing for thing in gc.get_objects() if issubclass(type(thing), Optimizer)]
        return [
            other
            for other in optimizers
            if id(other) not in known and any(id(p) in trained for group in other.param_groups for p in group["params"])
        ]
