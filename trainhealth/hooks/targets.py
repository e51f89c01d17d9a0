"""What outputs and targets say of a step: the task, the classes, the accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainhealth.hooks.padding import padding_of
from trainhealth.hooks.tensors import existing, measurable

IGNORED = -100  # the class index that torch's losses ignore by default
THRESHOLDS = {"binary_cross_entropy": 0.5, "binary_cross_entropy_with_logits": 0.0}  # above: the second class
ONE_OF_SEVERAL = frozenset({"cross_entropy", "soft_cross_entropy", "nll", "multi_margin"})  # losses with a class axis


@dataclass(frozen=True)
class Decision:
    """How an output says a class: the largest along an axis, or one number against a threshold; else neither."""

    axis: int | None = None
    threshold: float | None = None


@dataclass(frozen=True)
class Classes:
    """Targets as classes: `indices` in any shape; what is not in 0 … `count` - 1 (`IGNORED`) does not count."""

    indices: Tensor
    count: int


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
    threshold = THRESHOLDS.get(loss_function or "")
    if threshold is None or outputs.numel() != targets.numel():
        return None
    return ((outputs.reshape(-1) > threshold) == (targets.reshape(-1) > 0.5)).float().mean()


def decision(outputs: Tensor, targets: Tensor | None, facts: Mapping[str, Any]) -> Decision:
    """Return how `outputs` say a class: by what the targets show, else by the loss in use."""
    axis = class_axis(outputs, targets) if targets is not None else None
    if axis is not None:
        return Decision(axis=axis)
    function = facts.get("loss_function")
    if function in THRESHOLDS:
        return Decision(threshold=THRESHOLDS[function]) if _one_an_example(outputs) else Decision()
    if function not in ONE_OF_SEVERAL and not facts.get("target_one_hot"):
        return Decision()
    classes = facts.get("classes")
    last = outputs.dim() - 1
    likely = (last, 1) if last == 2 else (1, last)  # sequences [N, T, C]; images [N, C, H, W]
    return Decision(axis=next((axis for axis in likely if 0 < axis <= last and outputs.shape[axis] == classes), None))


def as_classes(targets: Tensor, outputs: Tensor | None, facts: Mapping[str, Any]) -> Classes | None:
    """Return the targets as classes; None where they are numbers, several labels an example, or of an unknown count.

    Probabilities (one-hot, smoothed, mixed) count as the most probable class.
    """
    axis = class_axis(outputs, targets) if outputs is not None else None
    if axis is not None and outputs is not None:
        return Classes(targets, outputs.shape[axis])
    function, count = facts.get("loss_function"), facts.get("classes")
    if function in THRESHOLDS:
        return Classes((targets > 0.5).long(), 2) if _one_an_example(targets) else None
    if not isinstance(count, int) or count < 2:
        return None
    if not targets.is_floating_point():
        return Classes(targets, count) if function in ONE_OF_SEVERAL else None
    if (function in ONE_OF_SEVERAL or facts.get("target_one_hot")) and targets.dim() > 1 and targets.shape[1] == count:
        return Classes(targets.argmax(1), count)
    return None


def describe(outputs: Tensor | None, targets: Tensor | None, loss_function: str | None) -> dict[str, Any]:
    """Return the facts of the first batch: task, classes, shapes, zeros of the outputs, kind and spread of the targets.

    It reads values: the one look that may make an accelerator wait.
    """
    facts: dict[str, Any] = {}
    if outputs is not None:
        facts["output_shape"] = list(outputs.shape)
        if measurable(outputs):
            facts["output_zeros"] = 1.0 - int(torch.count_nonzero(outputs)) / outputs.numel()
    if targets is None:
        return facts
    facts |= {"target_shape": list(targets.shape), "target_dtype": str(targets.dtype).removeprefix("torch.")}
    if targets.is_complex() or not existing(targets):
        return facts
    axis = class_axis(outputs, targets) if outputs is not None else None
    facts["target_integers"] = not targets.is_floating_point() or bool((targets == targets.round()).all())
    if axis is not None and outputs is not None:
        long = targets.dim() > 1 and axis == outputs.dim() - 1
        facts |= {"task": "language" if long else "classification", "classes": outputs.shape[axis]}
        facts |= padding_of(targets)
    elif loss_function in THRESHOLDS:
        facts |= {"task": "classification", "classes": 2}
    elif _one_hot(targets) or (loss_function == "soft_cross_entropy" and targets.dim() > 1):
        facts |= {"task": "classification", "classes": targets.shape[1], "target_one_hot": _one_hot(targets)}
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


def _one_an_example(tensor: Tensor) -> bool:
    return tensor.dim() > 0 and tensor.numel() == tensor.shape[0]


def _one_hot(targets: Tensor) -> bool:
    """Tell whether each example has a single 1 among zeros along axis 1, as one class of several."""
    if not targets.is_floating_point() or targets.dim() < 2 or targets.shape[1] < 2 or not targets.numel():
        return False
    return bool(((targets == 0) | (targets == 1)).all()) and bool((targets.sum(1) == 1).all())
