"""Update ratios: how far a step moves a parameter, as a share of the parameter."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trainhealth.hooks.probes.base import Probe, nonfinite_count
from trainhealth.hooks.probes.gradients import dense_values, norms
from trainhealth.hooks.sample import Parameter, Sample
from trainhealth.hooks.strided import LARGEST_COPY, every, stride_for


class Updates(Probe):
    """Compares every parameter with itself before the optimizer's step.

    ``update_ratio = |after - before| / |before|``, about 1e-3 in a healthy run (Tr1, Opt). Of models whose parameters
    take more than `LARGEST_COPY`, every k-th element stands for all.
    """

    name = "updates"
    signals = ("parameter_norm", "update_ratio", "parameter_nonfinite")
    shards = True

    def __init__(self) -> None:
        self._before: list[Tensor] = []
        self._parameters: list[Parameter] = []
        self._stride = 1

    def before_update(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """Remember (a part of) every parameter that may change."""
        self._parameters = [p for p in parameters if p.tensor.requires_grad and p.tensor.numel()]
        values = [dense_values(p.tensor) for p in self._parameters]
        width = max((tensor.element_size() for tensor in values), default=1)
        self._stride = stride_for((tensor.numel() for tensor in values), LARGEST_COPY // width)
        self._before = [part.clone() for part in every(self._stride, values)]

    def after_update(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """Put norms, ratios and counts."""
        if not self._before:
            return
        change, self._before = self._before, []
        whole = [dense_values(parameter.tensor) for parameter in self._parameters]
        starts = norms(change)
        torch._foreach_sub_(change, every(self._stride, whole))  # in the copy: it may be as large as the model
        ratios = torch._foreach_div(norms(change), starts)
        sample.parameters("update_ratio", self._parameters, ratios)
        sizes = norms(whole)
        sample.parameters("parameter_norm", self._parameters, sizes)
        counts = [nonfinite_count(tensor, size) for tensor, size in zip(whole, sizes, strict=True)]
        sample.parameters("parameter_nonfinite", self._parameters, counts)
