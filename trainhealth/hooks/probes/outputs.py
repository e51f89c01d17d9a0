"""The model's output: whether it differs between examples, its range, and what it says."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from trainhealth.hooks.probes.base import Probe, bounded, even_stride, in_float32, mean_and_std
from trainhealth.hooks.sample import Sample
from trainhealth.hooks.targets import Decision

LARGEST = 1 << 18  # elements that are looked at, but for the range: a mean over so many is right to 0.2 %


class Outputs(Probe):
    """Describes what the model gave: spread, range, and where it says classes how often the same one.

    Of very large outputs (a vocabulary for every token) spread, sums and classes come from every k-th item.
    """

    name = "outputs"
    signals = (
        "output_example_std",
        "output_std",
        "output_minimum",
        "output_maximum",
        "output_sum_error",
        "prediction_majority_share",
    )

    def outputs_known(self, outputs: Tensor, decision: Decision, sample: Sample) -> None:
        """Put the statistics that the shape allows."""
        _, deviations, divisor = mean_and_std(in_float32(bounded(outputs, LARGEST)))
        sample.batch("output_std", deviations, finish=lambda norm: norm / divisor)
        low, high = torch.aminmax(outputs)
        sample.batch("output_minimum", low)
        sample.batch("output_maximum", high)
        if outputs.shape[0] > 1:
            rows = outputs.reshape(outputs.shape[0], -1)
            rows = in_float32(rows[:, :: even_stride(rows.shape[1], rows.numel() / LARGEST)])
            apart, size = torch.linalg.vector_norm(rows - rows.mean(0, keepdim=True)), math.sqrt(rows.numel())
            sample.batch("output_example_std", apart, finish=lambda norm: norm / size)
        if decision.axis is not None:
            items = _items(outputs, decision.axis)
            sample.batch("output_sum_error", (in_float32(items).sum(1) - 1).abs().amax())
            _put_majority(sample, items.argmax(1), items.shape[1])
        elif decision.threshold is not None:
            _put_majority(sample, (bounded(outputs, LARGEST) > decision.threshold).long(), 2)


def _items(outputs: Tensor, axis: int) -> Tensor:
    """Return the outputs as [items, classes], every k-th item where they are large."""
    items = outputs.movedim(axis, -1).reshape(-1, outputs.shape[axis])
    return items[:: even_stride(items.shape[0], items.numel() / LARGEST)]


def _put_majority(sample: Sample, predictions: Tensor, classes: int) -> None:
    """Put the share of the most frequent of `predictions` (int64 [items], 0 … classes - 1)."""
    # a histogram by scattering: `bincount` would make an accelerator wait for its largest value
    counts = torch.zeros(classes, device=predictions.device, dtype=torch.float32).index_add_(
        0, predictions, torch.ones_like(predictions, dtype=torch.float32)
    )
    items = predictions.numel()
    sample.batch("prediction_majority_share", counts.amax(), finish=lambda count: count / items)
