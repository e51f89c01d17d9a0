"""Moments of activations: mean, standard deviation, largest absolute value, share of zeros, non-finite elements."""

from __future__ import annotations

import torch
from torch import Tensor

from trainhealth.hooks.probes.base import LARGEST, Probe, bounded, in_float32, nonfinite_count
from trainhealth.hooks.sample import Place, Sample


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
        variance, mean = torch.var_mean(values, correction=0)
        sample.layer("activation_mean", place, mean)
        sample.layer("activation_std", place, variance.sqrt())
        sample.layer("activation_maximum", place, torch.linalg.vector_norm(values, float("inf")))
        sample.layer("zero_fraction", place, 1 - torch.count_nonzero(values) / values.numel())
        sample.layer("activation_nonfinite", place, nonfinite_count(output))
