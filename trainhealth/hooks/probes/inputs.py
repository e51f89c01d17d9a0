"""The batch that enters the model: mean, spread, range, non-finite elements."""

from __future__ import annotations

import torch
from torch import Tensor

from trainhealth.hooks.probes.base import Probe, bounded, in_float32, mean_and_std, nonfinite_count
from trainhealth.hooks.sample import Sample


class Inputs(Probe):
    """Describes the model's first floating-point input."""

    name = "inputs"
    signals = ("input_mean", "input_std", "input_minimum", "input_maximum", "input_nonfinite")

    def batch_entered(self, inputs: Tensor, sample: Sample) -> None:
        """Put the five statistics."""
        values = in_float32(bounded(inputs))
        mean, deviations, divisor = mean_and_std(values)
        low, high = torch.aminmax(inputs)
        sample.batch("input_mean", mean)
        sample.batch("input_std", deviations, finish=lambda norm: norm / divisor)
        sample.batch("input_minimum", low)
        sample.batch("input_maximum", high)
        sample.batch("input_nonfinite", nonfinite_count(inputs, low, high))
