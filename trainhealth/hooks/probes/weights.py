"""Weights as they stand before an update: their mean and spread, at step 0 those of the initialisation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from trainhealth.hooks.probes.base import Probe, doubled
from trainhealth.hooks.probes.gradients import dense_values
from trainhealth.hooks.sample import Parameter, Sample
from trainhealth.hooks.strided import stacked

LARGEST_WEIGHT = 1 << 12  # elements: of a larger one every k-th, and the standard deviation is good to 1 %


class Weights(Probe):
    """Describes the distribution of every parameter with two axes or more, at steps 0, 1, 2, 4, 8, …

    Weights change slowly: between those steps `parameter_norm` tells enough. The standard deviation divides by n.
    """

    name = "weights"
    signals = ("weight_mean", "weight_std")

    def before_update(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """Put mean and standard deviation."""
        if not doubled(sample.step):
            return
        weights = [p for p in parameters if p.tensor.dim() > 1 and p.tensor.is_floating_point()]
        for positions, values in stacked([dense_values(p.tensor) for p in weights], LARGEST_WEIGHT):
            of = [weights[position] for position in positions]
            means = values.mean(1, keepdim=True)
            deviations = torch.linalg.vector_norm(values.sub_(means), dim=1) / math.sqrt(values.shape[1])
            sample.parameters("weight_mean", of, means[:, 0].unbind())
            sample.parameters("weight_std", of, deviations.unbind())
