"""Of several optimizers, one that never makes an update, though backward gives its parameters gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from trainhealth.hooks.recorder import Recorder
    from trainhealth.hooks.sample import Parameter

PATIENCE = (
    128  # updates of another one: critics are trained up to 100 times before the generator (Arjovsky et al. 2017)
)
ASKED = 8  # parameters whose gradients are looked at


def note_idle(recorder: Recorder, parameters: Sequence[Parameter]) -> None:
    """Write down "never_stepped" when it is time, at the end of a sampled step; take it back where an update has come.

    A gradient of zero, from a term that has not begun to count, is none.
    """
    made, known = recorder.updates.made, recorder.facts.get("never_stepped")
    if len(recorder.optimizers) < 2 or not (known or max(made.values(), default=0) >= PATIENCE):
        return
    idle = [optimizer for optimizer in recorder.optimizers if not made.get(id(optimizer))]
    if known and not idle:
        recorder.learn("never_stepped", {}, anew=True)
    for optimizer in idle if not known else ():
        own = _held_alone(optimizer, recorder.optimizers, parameters)
        if _have_gradients(own):
            told = {"type": type(optimizer).__name__, "parameters": [own[0].name, own[-1].name], "count": len(own)}
            recorder.learn("never_stepped", told, anew=True)
            return


def _held_alone(
    optimizer: Optimizer, optimizers: Sequence[Optimizer], parameters: Sequence[Parameter]
) -> list[Parameter]:
    others = {id(p) for other in optimizers if other is not optimizer for g in other.param_groups for p in g["params"]}
    own = {id(p) for group in optimizer.param_groups for p in group["params"]} - others
    return [parameter for parameter in parameters if id(parameter.tensor) in own]


def _have_gradients(parameters: Sequence[Parameter]) -> bool:
    gradients = [p.tensor.grad for p in parameters if p.tensor.grad is not None][:ASKED]
    return any(bool(torch.count_nonzero(gradient)) for gradient in gradients if gradient.layout is torch.strided)
