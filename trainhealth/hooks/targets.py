"""What outputs and targets say of a step: the task, the number of classes, the accuracy."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

IGNORED = -100  # the class index that torch's losses ignore by default


def class_axis(outputs: Tensor, targets: Tensor) -> int | None:
    """Return the axis of `outputs` that counts classes, where `targets` are class indices; None where they are not.

    Known shapes: outputs [N, C, ...] with targets [N, ...] (as `cross_entropy` takes them) and outputs [..., C] with
    targets [...] (as language models make them).
    """
    if targets.is_floating_point() or targets.is_complex() or outputs.dim() != targets.dim() + 1 or not targets.dim():
        return None
    if outputs.dim() == 2 and outputs.shape[1] == 1:
        return None  # one output an example: a binary classifier or a regression
    if outputs.shape[0] == targets.shape[0] and outputs.shape[2:] == targets.shape[1:]:
        return 1
    return outputs.dim() - 1 if outputs.shape[:-1] == targets.shape else None


def accuracy(outputs: Tensor, targets: Tensor, loss_function: str | None) -> Tensor | None:
    """Return the share of right predictions, 0-dimensional on the outputs' device; None where there is no such thing.

    Binary classifiers are judged by the loss in use: logits at 0, probabilities at 0.5.
    """
    axis = class_axis(outputs, targets)
    if axis is not None:
        predicted = outputs.argmax(axis)
        counted = targets != IGNORED
        return ((predicted == targets) & counted).sum() / counted.sum()
    threshold = {"binary_cross_entropy": 0.5, "binary_cross_entropy_with_logits": 0.0}.get(loss_function or "")
    if threshold is None or outputs.numel() != targets.numel():
        return None
    return ((outputs.reshape(-1) > threshold) == (targets.reshape(-1) > 0.5)).float().mean()


def describe(outputs: Tensor, targets: Tensor | None, loss_function: str | None) -> dict[str, Any]:
    """Return the facts of the first batch: task, classes, the spread of a regression's targets."""
    facts: dict[str, Any] = {"output_shape": list(outputs.shape)}
    if targets is None:
        return facts
    facts["target_shape"] = list(targets.shape)
    axis = class_axis(outputs, targets)
    if axis is not None:
        long = targets.dim() > 1 and axis == outputs.dim() - 1
        facts |= {"task": "language" if long else "classification", "classes": outputs.shape[axis]}
    elif loss_function == "soft_cross_entropy":
        facts |= {"task": "classification", "classes": outputs.shape[-1 if outputs.dim() < 3 else 1]}
    elif loss_function in ("binary_cross_entropy", "binary_cross_entropy_with_logits"):
        facts |= {"task": "classification", "classes": 2}
    elif targets.is_floating_point() and targets.numel():
        values = targets.float()
        variance, mean = torch.var_mean(values, correction=0)
        facts |= {
            "task": "regression",
            "target_mean": float(mean),
            "target_std": float(variance.sqrt()),
            "target_mean_square": float((values * values).mean()),
        }
    return facts
