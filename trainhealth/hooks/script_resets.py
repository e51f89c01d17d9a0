"""Sees a script give the weights that it trains other values: drawn anew, or loaded."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import nn

from trainhealth.records import EventRecord

if TYPE_CHECKING:
    from trainhealth.hooks.recorder import Recorder

# functions of torch.nn.init, through which the layers' own reset_parameters goes as well
DRAWING = (
    *("uniform_", "normal_", "trunc_normal_", "constant_", "zeros_", "ones_", "orthogonal_"),
    *("xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_"),
)
MOST = 200  # events of a run


class Resets:
    """Tells the log at which steps weights in training were set from outside: an event `weights-set`, one a step."""

    def __init__(self, recorder: Recorder, models: Sequence[nn.Module]) -> None:
        self._recorder = recorder
        self._models = models
        self._told: list[int] = []  # the steps

    def drawn(self, tensor: Any) -> None:
        """A function of torch.nn.init has filled `tensor`."""
        if not self._wanted or not tensor.requires_grad:
            return  # noise that is drawn in every step: going through all parameters would cost too much
        if any(tensor is parameter for model in self._models for parameter in model.parameters()):
            self._tell("drawn")

    def loaded(self, module: nn.Module) -> None:
        """A module has loaded a state: it holds, or is part of, what is trained."""
        if self._wanted and any(_is_within(module, model) or _is_within(model, module) for model in self._models):
            self._tell("loaded")

    @property
    def _wanted(self) -> bool:
        step = self._recorder.next_step
        return step > 0 and step not in self._told[-1:] and len(self._told) < MOST

    def _tell(self, how: str) -> None:
        step = self._recorder.next_step
        self._told.append(step)
        message = f"the script has given the weights other values: {how}"
        data = {"how": how}
        self._recorder.emit(EventRecord(step=step, time=time.time(), event="weights-set", message=message, data=data))


def _is_within(part: nn.Module, whole: nn.Module) -> bool:
    return any(module is part for module in whole.modules())
