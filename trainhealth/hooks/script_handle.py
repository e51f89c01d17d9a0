"""The handle of a run that an unchanged script does not know of, and what is told to it besides steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from torch import nn
from torch.optim import Optimizer

from trainhealth.hooks.recorder import Recorder
from trainhealth.hooks.script_losses import LossCalls
from trainhealth.records import EventRecord

OBSERVED = "evaluations were observed in the script, which did not tell them: data are named by the order of their use"


class Handle(Protocol):
    """What `trainhealth.watch` returns, as far as it is used here."""

    run_dir: Path

    @property
    def recorder(self) -> Recorder:
        """Turns what happens into records."""

    def epoch(self, **signals: Any) -> None:
        """End an epoch."""

    def log(self, **signals: Any) -> None:
        """Record an evaluation."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


Begin = Callable[[Mapping[str, nn.Module], Mapping[str, Optimizer]], Handle]


def tell(handle: Handle, event: str, message: str, data: dict[str, Any]) -> None:
    """Write down an event, in words and for programs."""
    recorder = handle.recorder
    recorder.emit(EventRecord(step=recorder.next_step, time=time.time(), event=event, message=message, data=data))


class ObservedEvaluations:
    """Tells a run of the evaluations that were seen in the losses that a script has computed."""

    def __init__(self, losses: LossCalls) -> None:
        self._losses = losses
        self._told = False  # that they were only observed

    def take(self, handle: Handle) -> None:
        """Tell of the one that has ended, if there is one."""
        sampler = handle.recorder.sampler
        values, partial = self._losses.take_evaluations(lambda: sampler.class_counts)
        if not values:
            return
        if not self._told:
            self._told = True
            tell(handle, "evaluation-observed", OBSERVED, {})
        if partial:
            tell(handle, "evaluation-sampled", "the accuracy of this evaluation is that of a part of its batches", {})
        if handle.recorder.next_step:
            handle.epoch(**values)
        else:
            handle.log(**values)  # before training: no epoch has ended
