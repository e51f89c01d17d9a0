"""Loss scalers: the factor that is in the gradients, and updates that they skipped."""

from __future__ import annotations

import gc
import sys
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.amp.grad_scaler import GradScaler, OptState

if TYPE_CHECKING:
    from trainhealth.hooks.recorder import Recorder

CALLERS = 14  # frames that are looked at: a learning-rate scheduler and a profiler may stand in between


@dataclass(eq=False)
class _Known:
    """A scaler, and what it said of its optimizers when the last step ended.

    A scaler keeps a mapping from an optimizer's id to the stage of its update, and takes a fresh one with `update()`:
    so which mapping it is, and what the one before says, tells everything without a look at the device.
    """

    scaler: GradScaler
    stages: dict[int, dict[str, Any]]
    counted: bool  # whether what `stages` says, or will say, belongs to the step that has ended
    missed: bool = False  # it has ended an update before it was found


class Scalers:
    """The `GradScaler`s in use.

    A scaler that finds an infinite gradient does not call the optimizer's step at all: without a look at the scaler, a
    skipped step is the same as a micro-batch. Nothing leads from an optimizer to its scaler, so it is found in the
    frames that call the optimizer's step; where the very first update is skipped, among all objects.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._known: list[_Known] = []
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
        if not self._known and not self._searched:
            self._search()
        return any(
            known.missed
            or (not known.counted and self._stepped(known.stages))
            or (_stages(known.scaler) is not known.stages and self._stepped(_stages(known.scaler)))
            for known in self._known
        )

    def scale_of_skipped(self) -> Tensor | None:
        """Return the scale that was in the gradients of a skipped step."""
        if not self._known:
            return None
        scaler = self._known[0].scaler
        if scaler._scale is None:
            return None
        backed_off = not self._stepped(_stages(scaler))  # `update()` has lowered it already
        return scaler._scale / scaler.get_backoff_factor() if backed_off else scaler._scale.detach().clone()

    def step_ended(self) -> None:
        """What the scalers say now belongs to the step that has ended; the first call begins the run."""
        self._searched, self._begun = self._begun, True
        for known in self._known:
            known.stages = _stages(known.scaler)
            known.counted = any(id(optimizer) in known.stages for optimizer in self._recorder.optimizers)
            known.missed = False

    def _search(self) -> None:
        """Look for scalers among all objects, once: when the first step seems to end and no update was seen.

        It takes some ten milliseconds, and falls into the start-up allowance.
        """
        self._searched = True
        for thing in gc.get_objects():
            if issubclass(type(thing), GradScaler) and thing.is_enabled() and thing._scale is not None:
                self._add(thing)
                self._known[-1].missed = thing._scale._version > 0  # `update()` writes into it in any case

    def _add(self, scaler: GradScaler) -> None:
        if not any(known.scaler is scaler for known in self._known):
            self._known.append(_Known(scaler, _stages(scaler), counted=False))

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
                return caller
        frame = frame.f_back
    return None
