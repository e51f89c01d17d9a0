"""An Ultralytics trainer's losses and metrics -> what trainhealth logs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from torch import Tensor

VALIDATION = "val/"
TOP1 = "metrics/accuracy_top1"  # of classifiers, as a fraction


def step_losses(trainer: Any) -> Tensor | dict[str, Tensor]:
    """Return the losses of the batch that has ended: a scalar, or the parts of a detector's loss by name.

    They are `loss_items`, of which the trainer's table has the means: a batch's mean, in the unit of the validation's
    losses. `loss`, through which the gradients come, is multiplied by the size of the batch (a classifier's is not) and
    by the number of processes, and may hold losses of branches that are not validated; what it adds here is whether it
    is finite.
    """
    if trainer.args.task == "classify" and int(os.environ.get("WORLD_SIZE", 1)) == 1:
        loss: Tensor = trainer.loss  # its graph says which function it is
        return loss
    items = trainer.loss_items
    if not isinstance(items, Mapping):  # a tensor, before Ultralytics 8.4
        flat = items.reshape(-1)
        names = trainer.loss_names if len(trainer.loss_names) == len(flat) else range(len(flat))
        items = {str(name): flat[place] for place, name in enumerate(names)}
    nothing = trainer.loss.detach() * 0  # or NaN
    parts = {name: value + nothing for name, value in items.items()}
    return next(iter(parts.values())) if len(parts) == 1 else parts


def validation_signals(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a validation measured: the sum of its losses, the accuracy, and everything under its own name."""
    losses = [float(value) for name, value in metrics.items() if name.startswith(VALIDATION)]
    known: dict[str, Any] = {"validation_loss": sum(losses)} if losses else {}
    if TOP1 in metrics:
        known["validation_accuracy"] = metrics[TOP1]
    return known | {name: value for name, value in metrics.items() if name not in (TOP1, f"{VALIDATION}loss")}
