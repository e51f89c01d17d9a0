"""The targets as numbers: range, mean, spread."""

from __future__ import annotations

import torch
from torch import Tensor

from trainhealth.hooks.probes.base import Probe, bounded, in_float32, mean_and_std
from trainhealth.hooks.sample import Sample
from trainhealth.hooks.targets import IGNORED, Classes


class TargetRange(Probe):
    """Describes the targets; class indices that the loss ignores are left out of the range."""

    name = "target_range"
    signals = ("target_minimum", "target_maximum", "target_mean", "target_std")

    def targets_known(self, targets: Tensor, classes: Classes | None, sample: Sample) -> None:
        """Put the range, and mean and standard deviation of what is no class index."""
        if targets.is_floating_point():
            low, high = torch.aminmax(targets)
        else:
            numbers = targets.to(torch.int64)
            low = numbers.masked_fill(numbers == IGNORED, torch.iinfo(torch.int64).max).amin()
            high = numbers.amax()
        sample.batch("target_minimum", low)
        sample.batch("target_maximum", high)
        if targets.is_floating_point() or classes is None:
            values = bounded(targets)
            mean, deviations, divisor = mean_and_std(
                in_float32(values) if values.is_floating_point() else values.float()
            )
            sample.batch("target_mean", mean)
            sample.batch("target_std", deviations, finish=lambda norm: norm / divisor)
