"""What `step` is told of a sampled step: outputs and targets, or what the loss's graph still holds of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from trainhealth.hooks import loss as losses
from trainhealth.hooks import targets as labels
from trainhealth.hooks.sample import Sample
from trainhealth.hooks.tensors import existing, measurable


class Given:
    """Keeps the outputs and targets of a sampled step's first micro-batch until the step has ended."""

    def __init__(self) -> None:
        self.outputs_usual = False  # the script passes outputs: the forward's own need not be measured
        self._outputs: Tensor | None = None
        self._targets: Tensor | None = None
        self._judged: Tensor | None = None  # the prediction that the targets belong to
        self._kept = False

    def keep(self, loss: Any, outputs: Tensor | None, targets: Tensor | None) -> None:
        """Remember what a call of `step` was given."""
        if self._kept:
            return
        self._kept = True
        self.outputs_usual = outputs is not None
        self._outputs = None if outputs is None else outputs.detach()
        self._targets, self._judged = targets, self._outputs
        if targets is None:
            pair = losses.saved_pair(loss)
            if pair is not None:
                self._judged, self._targets = pair

    def measure(self, show: Callable[..., None], facts: Mapping[str, Any], sample: Sample) -> None:
        """Show it to the probes with `show(method, …)`, and forget it."""
        outputs, targets, judged = self._outputs, self._targets, self._judged
        self.forget()
        if outputs is not None and outputs.dim() and measurable(outputs):
            show("outputs_known", outputs, labels.decision(outputs, targets, facts), sample)
        if targets is not None and existing(targets) and not targets.is_complex():
            show("targets_known", targets.detach(), labels.as_classes(targets.detach(), judged, facts), sample)
            if outputs is not None and measurable(outputs):
                show("judged", outputs, targets.detach(), facts, sample)

    def forget(self) -> None:
        """Keep nothing in memory."""
        self._outputs = self._targets = self._judged = None
        self._kept = False
