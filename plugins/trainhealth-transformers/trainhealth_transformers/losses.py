"""Raw losses, taken from what the model returns: the Trainer's own log has NaN replaced by an average."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling


@dataclass(slots=True)
class Forward:
    """One training forward: its loss with the graph, and the labels where it classifies whole examples."""

    loss: Tensor
    normalized: bool  # over all micro-batches of the step: their losses add up
    logits: Tensor | None  # [N, C]
    labels: Tensor | None  # [N]
    trained: bool = False  # a backward has reached the loss: the Trainer has not computed another one


class Losses:
    """Collects the losses of one step's forwards, through a hook that is on the model during the step only."""

    def __init__(self, model: nn.Module) -> None:
        self._forwards: list[Forward] = []
        self._handle = model.register_forward_hook(self._forward_ended, with_kwargs=True)

    def close(self) -> None:
        """Take the hook off."""
        self._handle.remove()

    def step(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Return loss, outputs and targets of the step as `watch.step` takes them; None for what is not known."""
        forwards = [forward for forward in self._forwards if forward.trained]
        if not forwards:
            return None, None, None
        logits = [forward.logits for forward in forwards if forward.logits is not None]
        labels = [forward.labels for forward in forwards if forward.labels is not None]
        whole = len(logits) == len(forwards)
        outputs, targets = (torch.cat(logits), torch.cat(labels)) if whole else (None, None)
        if len(forwards) == 1:
            return forwards[0].loss, outputs, targets
        losses = torch.stack([forward.loss.detach() for forward in forwards])
        return losses.sum() if forwards[0].normalized else losses.mean(), outputs, targets

    def _forward_ended(self, module: nn.Module, args: Any, kwargs: dict[str, Any], output: Any) -> None:
        if is_compiling() or not torch.is_grad_enabled():
            return
        loss = output.get("loss") if isinstance(output, Mapping) else next(iter(output), None) if output else None
        if not isinstance(loss, Tensor) or loss.dim() or not loss.requires_grad:
            return
        normalized = kwargs.get("num_items_in_batch") is not None
        forward = Forward(loss, normalized, *_classification(output, kwargs.get("labels")))
        self._forwards.append(forward)

        def reached(gradient: Tensor) -> None:
            forward.trained = True

        loss.register_hook(reached)  # type: ignore[no-untyped-call]  # torch leaves it untyped


def _classification(output: Any, labels: Any) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """Return logits and labels where the model classifies whole examples; tokens are shifted, each model in its way."""
    logits = output.get("logits") if isinstance(output, Mapping) else None
    if not (isinstance(logits, Tensor) and isinstance(labels, Tensor)):
        return None, None
    fits = logits.dim() == 2 and labels.dim() == 1 and not labels.is_floating_point()
    return (logits.detach(), labels) if fits else (None, None)
