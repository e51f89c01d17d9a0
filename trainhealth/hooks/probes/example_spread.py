"""How far apart the examples of a batch lie: the part of the signal that depends on the input."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from trainhealth.hooks.probes.base import LARGEST, Probe, in_float32
from trainhealth.hooks.sample import Place, Sample


class ExampleSpread(Probe):
    """Takes the standard deviation over examples, root mean square over units.

    `activation_std` also counts what differs from unit to unit, which biases alone can keep up while the signal fades.
    """

    name = "example_spread"
    signals = ("example_std",)

    def layer_finished(self, place: Place, output: Tensor, sample: Sample) -> None:
        """Put it where there are at least two examples; of a very large output, every k-th column is looked at."""
        examples = output.shape[0] if output.dim() > 1 else 0
        if examples < 2:
            return
        rows = output.reshape(examples, -1)
        if output.numel() > LARGEST:
            rows = rows[:, :: -(-output.numel() // LARGEST)].contiguous()
        rows = in_float32(rows)
        deviations = torch.linalg.vector_norm(rows - rows.mean(0, keepdim=True))
        divisor = math.sqrt(rows.numel())
        sample.layer("example_std", place, deviations, finish=lambda norm: norm / divisor)
