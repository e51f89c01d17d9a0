"""The calls of `step` that make up one step: losses, accuracy and size of each micro-batch, and how they merge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from trainhealth.hooks.warning import warn_once


@dataclass(slots=True)
class MicroBatch:
    """One call of `step`: its losses by name ("" where there is one), on the device or already a float."""

    losses: dict[str, Tensor | float]
    accuracy: Tensor | float | None
    size: int | None


def scalar(value: Any) -> Tensor | float | None:
    """Return a loss as a float, or as a detached tensor where reading it would make the device wait."""
    if isinstance(value, Tensor):
        if value.numel() != 1:
            warn_once(f"trainhealth: the loss passed to step() has shape {list(value.shape)}: pass a scalar.")
            return None
        if value.device.type == "meta" or value.is_complex():
            warn_once(
                f"trainhealth: the loss passed to step() is a {value.dtype} on {value.device}: pass a real number."
            )
            return None
        return float(value) if value.is_cpu else value.detach().reshape(()).clone()  # the script may go on adding to it
    if value is None:
        return None
    try:
        return float(value)
    except Exception:  # noqa: BLE001  # `float` of a foreign object may raise anything
        warn_once(f"trainhealth: the loss passed to step() is a {type(value).__name__}: pass a tensor or a number.")
        return None


def fill_in(batches: list[MicroBatch], numbers: list[float]) -> None:
    """Put the numbers that have come from the device in the place of their tensors, in the same order."""
    arrived = iter(numbers)
    for batch in batches:
        batch.losses = {name: next(arrived) if isinstance(v, Tensor) else v for name, v in batch.losses.items()}
        if isinstance(batch.accuracy, Tensor):
            batch.accuracy = next(arrived)


def merged(batches: list[MicroBatch]) -> tuple[float | None, float | None, int | None]:
    """Return loss, accuracy and size of a step of `batches` with one loss each."""
    return merged_losses(batches)[0], merged_accuracy(batches), merged_size(batches)


def merged_size(batches: list[MicroBatch]) -> int | None:
    """Return how many examples the batches held; None where none tells."""
    return sum(batch.size or 0 for batch in batches) or None


def merged_accuracy(batches: list[MicroBatch]) -> float | None:
    """Return the accuracy of those batches of which it was taken, a mean weighted by size."""
    judged = [(batch.accuracy, batch.size or 1) for batch in batches if isinstance(batch.accuracy, float)]
    return sum(a * n for a, n in judged) / sum(n for _, n in judged) if judged else None


def merged_losses(batches: list[MicroBatch]) -> tuple[float | None, dict[str, Any]]:
    """Return the step's loss (the sum over names) and the losses by name, means weighted by micro-batch size."""
    if len(batches) == 1 and len(batches[0].losses) == 1 and "" in batches[0].losses:
        only = batches[0].losses[""]
        return float(only), {}
    merged: dict[str, float] = {}
    for name in dict.fromkeys(name for batch in batches for name in batch.losses):
        having = [(float(batch.losses[name]), batch.size or 1) for batch in batches if name in batch.losses]
        merged[name] = sum(value * size for value, size in having) / sum(size for _, size in having)
    if not merged:
        return None, {}
    return sum(merged.values()), {} if list(merged) == [""] else merged
