"""Moments of activations: mean, standard deviation, largest absolute value, share of zeros, non-finite elements."""

from __future__ import annotations

import torch
from torch import Tensor

from trainhealth.hooks.probes.base import LARGEST, Probe, bounded, in_float32, mean_and_std, nonfinite_count
from trainhealth.hooks.sample import Place, Sample, largest_magnitude


class Activations(Probe):
    """Describes the distribution of every layer's output over batch and units.

    The standard deviation divides by n (it describes this batch and estimates nothing).
    """

    name = "activations"
    signals = ("activation_mean", "activation_std", "activation_maximum", "zero_fraction", "activation_nonfinite")

    def layer_finished(self, place: Place, output: Tensor, sample: Sample) -> None:
        """Put the five statistics of one output."""
        if output.numel() > LARGEST:
            sample.thinned.add(place.name)
        values = in_float32(bounded(output))
        mean, deviations, divisor = mean_and_std(values)
        low, high = torch.aminmax(values if values.numel() == output.numel() else output)
        sample.layer("activation_mean", place, mean)
        sample.layer("activation_std", place, deviations, finish=lambda norm: norm / divisor)
        sample.layer("activation_maximum", place, low, high, finish=largest_magnitude)
        size = values.numel()
        sample.layer("zero_fraction", place, torch.count_nonzero(values), finish=lambda count: 1 - count / size)
        sample.layer("activation_nonfinite", place, nonfinite_count(output, low, high))
