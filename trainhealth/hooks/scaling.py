"""Loss scalers: the factor that is in the gradients, and updates that they skipped."""

from __future__ import annotations

import gc
import math
import sys
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.amp.grad_scaler import GradScaler, OptState

from trainhealth.hooks.probes.gradients import dense_values, norms

if TYPE_CHECKING:
    from trainhealth.hooks.recorder import Recorder

CALLERS = 14  # frames that are looked at: a learning-rate scheduler and a profiler may stand in between


@dataclass(eq=False)
class _Known:
    """A scaler, and what it said of its optimizers when it was last looked at.

    A scaler keeps a mapping from an optimizer's id to the stage of its update, and takes a fresh one with `update()`:
    so which mapping it is, and what the one before says, tells everything without a look at the device.
    """

    scaler: GradScaler
    stages: dict[int, dict[str, Any]]
    counted: bool  # whether what `stages` says, or will say, belongs to a step that has ended
    missed: bool = False  # it has ended an update before it was found


class Scalers:
    """The `GradScaler`s in use.

    A scaler that finds an infinite gradient does not call the optimizer's step at all: without a look at the scaler, a
    skipped step is the same as a micro-batch. Nothing leads from an optimizer to its scaler, so it is found in the
    frames that call the optimizer's step; where the very first update is skipped, among all objects.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.known: list[_Known] = []
        self._searched = False
        self._begun = False

    def scale(self) -> Tensor | None:
        """Return the scale of the scaler that is calling the optimizer's step right now; None where there is none.

        The ratio of norms before and after would not tell: it may be clipping.
        """
        scaler = _calling()
        if scaler is None:
            return None
        self._add(scaler)
        return None if scaler._scale is None else scaler._scale.detach().clone()

    def skipped(self) -> bool:
        """Tell whether, since the last step ended, a scaler was asked to update and called no optimizer."""
        if not self.known and not self._searched:
            self._search()
        return any(self._has_skipped(known) for known in self.known)

    def scale_of_skipped(self) -> Tensor | None:
        """Return the scale that was in the gradients of a skipped step; None where it is not known which it was."""
        scalers = [known.scaler for known in self.known if self._has_skipped(known)]
        if len(scalers) != 1 or scalers[0]._scale is None:
            return None
        if self._stepped(_stages(scalers[0])):
            return scalers[0]._scale.detach().clone()
        return scalers[0]._scale / scalers[0].get_backoff_factor()  # `update()` has lowered it already

    def step_ended(self) -> None:
        """What the scalers say now belongs to the step that has ended; the first call begins the run."""
        self._searched, self._begun = self._begun, True
        for known in self.known:
            known.stages = _stages(known.scaler)
            known.counted = any(id(optimizer) in known.stages for optimizer in self._recorder.optimizers)
            known.missed = False

    def _search(self) -> None:
        """Look for scalers among all objects, once: when the first step seems to end and no update was seen.

        It takes some ten milliseconds, and falls into the start-up allowance. A scaler that has called `update()` may
        have belonged to an earlier training: then the gradients decide, and reading them is the one time that a device
        is waited for.
        """
        self._searched = True
        for thing in gc.get_objects():
            if issubclass(type(thing), GradScaler) and thing.is_enabled() and thing._scale is not None:
                self._add(thing)
        versions = [known.scaler._scale._version for known in self.known if known.scaler._scale is not None]
        if versions and min(versions) > 0 and self._gradients_are_infinite():  # `update()` writes into the scale
            for known in self.known:
                known.missed = True

    def _gradients_are_infinite(self) -> bool:
        groups = [group for optimizer in self._recorder.optimizers for group in optimizer.param_groups]
        gradients = [dense_values(p.grad) for group in groups for p in group["params"] if p.grad is not None]
        return any(not math.isfinite(norm) for norm in norms(gradients)) if gradients else False

    def _has_skipped(self, known: _Known) -> bool:
        if known.missed or (not known.counted and self._stepped(known.stages)):
            return True
        now = _stages(known.scaler)
        if now is not known.stages:
            known.stages, known.counted = now, False
        return not known.counted and self._stepped(now)

    def _add(self, scaler: GradScaler) -> None:
        if not any(known.scaler is scaler for known in self.known):
            self.known.append(_Known(scaler, _stages(scaler), counted=False))

    def _stepped(self, stages: dict[int, dict[str, Any]]) -> bool:
        found = (stages.get(id(optimizer)) for optimizer in self._recorder.optimizers)
        return any(state is not None and state["stage"] is OptState.STEPPED for state in found)


def _stages(scaler: GradScaler) -> dict[int, dict[str, Any]]:
    return scaler._per_optimizer_states


def _calling() -> GradScaler | None:
    frame: FrameType | None = sys._getframe(1)
    for _ in range(CALLERS):
        if frame is None:
            return None
        if frame.f_code.co_varnames[:1] == ("self",):
            caller = frame.f_locals.get("self")
            if isinstance(caller, GradScaler):
                return caller if caller.is_enabled() else None  # one that is off scales nothing, and keeps no stages
        frame = frame.f_back
    return None
