"""Update ratios: how far a step moves a parameter, as a share of the parameter."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trainhealth.hooks.probes.base import Probe, nonfinite_count
from trainhealth.hooks.probes.gradients import norms
from trainhealth.hooks.sample import Parameter, Sample

LARGEST_COPY = 64 << 20  # bytes of parameters remembered from before the update, all together


class Updates(Probe):
    """Compares every parameter with itself before the optimizer's step.

    ``update_ratio = |after - before| / |before|``, about 1e-3 in a healthy run (Tr1, Opt). Of models whose parameters
    take more than `LARGEST_COPY`, every k-th element stands for all.
    """

    name = "updates"
    signals = ("parameter_norm", "update_ratio", "parameter_nonfinite")

    def __init__(self) -> None:
        self._before: list[Tensor] = []
        self._parameters: list[Parameter] = []
        self._stride = 1

    def before_update(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """Remember (a part of) every parameter that may change."""
        self._parameters = [p for p in parameters if p.tensor.requires_grad and p.tensor.numel()]
        size = sum(p.tensor.numel() * p.tensor.element_size() for p in self._parameters)
        self._stride = -(-size // LARGEST_COPY) or 1
        self._before = [part.clone() for part in self._parts()]

    def after_update(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """Put norms, ratios and counts."""
        if not self._before:
            return
        before, self._before = self._before, []
        after = self._parts()
        whole = [parameter.tensor.detach() for parameter in self._parameters]
        ratios = torch._foreach_div(norms(list(torch._foreach_sub(after, before))), norms(before))
        sample.parameters("update_ratio", self._parameters, ratios)
        sizes = norms(whole)
        sample.parameters("parameter_norm", self._parameters, sizes)
        counts = [nonfinite_count(tensor, size) for tensor, size in zip(whole, sizes, strict=True)]
        sample.parameters("parameter_nonfinite", self._parameters, counts)

    def _parts(self) -> list[Tensor]:
        flat = [parameter.tensor.detach().reshape(-1) for parameter in self._parameters]
        return [part[:: self._stride] for part in flat] if self._stride > 1 else flat
