"""Which forwards without gradients are an evaluation: a training step may hold such forwards too."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from trainhealth.hooks.active_dropout import ActiveDropout, is_first_of, reference_to_first
from trainhealth.hooks.tensors import measurable, tensors_in

if TYPE_CHECKING:
    from trainhealth.hooks.recorder import Recorder
    from trainhealth.hooks.sample import Sample
    from trainhealth.hooks.sampler import Sampler


class Evaluations:
    """Recognises the first forward of an evaluation among a model's forwards without gradients.

    In evaluation mode it is the first one after a step. In training mode (`eval()` was forgotten) it may as well belong
    to the training: pseudo-labels, the targets of a Q function. Those come in every step, each time with another
    tensor; so a forward counts where the step before had none, or where it gets the very tensor of the time before (a
    validation set that is kept in memory). Before the first step nothing is an evaluation: it is a look at shapes.
    """

    def __init__(self, recorder: Recorder, sampler: Sampler, left: Callable[[], None]) -> None:
        self.due = True  # none was looked at since the last sample
        self.dropout = ActiveDropout(recorder, left)
        self._recorder = recorder
        self._sampler = sampler
        self._first_step = recorder.next_step
        self._last = recorder.next_step - 2  # the step before whose end the last forward without gradients came
        self._looked_at = -1  # the same of the evaluation that was looked at last
        self._inputs: weakref.ref[Tensor] | None = None

    def forward_began(
        self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], is_first: bool, *, eager: bool
    ) -> None:
        """A forward without gradients begins: show the probes one evaluation a sample, of the first model's.

        Where the model is not `eager` there is compiled code around, which must not meet a hook that comes and goes.
        """
        recorder = self._recorder
        if recorder.forwards == 0:
            recorder.loading.interrupted = True
        step = recorder.next_step
        if step == self._last:
            if step == self._looked_at and eager and not _recorded():
                self.dropout.went_on(model, args)
            return
        if not self._begins(model, args, step) or not self.due or not is_first or _recorded():
            return
        self.due, self._looked_at = False, step
        with recorder.guarded("evaluation"):
            tensors = (tensor for tensor in tensors_in((args, kwargs)) if tensor.dim() and measurable(tensor))
            self._sampler.measure("evaluation_entered", model, next(tensors, None), step)
            if eager:
                self.dropout.evaluation_began(model, args)

    def put_into(self, sample: Sample) -> None:
        """Put what an evaluation since the sample before has shown; the next one is looked at again."""
        calls, self.due = self.dropout.take(), True
        if calls is not None:
            sample.batch("evaluation_active_dropout", float(calls))

    def _begins(self, model: nn.Module, args: tuple[Any, ...], step: int) -> bool:
        """Tell whether the first forward before the end of `step` is an evaluation's."""
        before, self._last = self._last, step
        known, self._inputs = self._inputs, reference_to_first(args)
        if step == self._first_step:
            return False
        return not model.training or before < step - 1 or is_first_of(args, known)


def _recorded() -> bool:
    """Tell whether what we do would become part of something of the user's: a trace, a captured graph, a backward."""
    captured = torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()
    return captured or torch._C._get_tracing_state() is not None or torch._C._current_graph_task_id() != -1
