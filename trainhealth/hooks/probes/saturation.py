"""Saturation: the share of a sigmoid's or tanh's outputs in its flat part, where the gradient vanishes."""

from __future__ import annotations

import torch
from torch import Tensor

from trainhealth.hooks.probes.base import Probe, bounded
from trainhealth.hooks.sample import Place, Sample

MARGIN = 0.01  # of the width of the range, from either bound: there sigmoid'(x) < 0.01 and tanh'(x) < 0.04

BOUNDS = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "hardsigmoid": (0.0, 1.0), "hardtanh": (-1.0, 1.0)}


class Saturation(Probe):
    """Counts outputs within `MARGIN` of the range's width of a bound."""

    name = "saturation"
    signals = ("saturated_fraction",)

    def layer_finished(self, place: Place, output: Tensor, sample: Sample) -> None:
        """Put the share for functions with bounds."""
        if place.activation not in BOUNDS:
            return
        low, high = BOUNDS[place.activation]
        margin = MARGIN * (high - low)
        values = bounded(output)
        flat = (values < low + margin) | (values > high - margin)
        size = values.numel()
        sample.layer("saturated_fraction", place, torch.count_nonzero(flat), finish=lambda count: count / size)
