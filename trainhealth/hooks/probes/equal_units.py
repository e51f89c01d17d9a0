"""Equal units: units with the same weights and the same gradient, which stay equal for ever."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trainhealth.hooks.probes.base import Probe, doubled, in_float32
from trainhealth.hooks.sample import Parameter, Sample

TOLERANCE = 1e-6  # of a unit's size
UNITS, WIDTH = 1 << 12, 1 << 9  # of a larger parameter, so many units and so many of their weights are looked at


class EqualUnits(Probe):
    """Counts, a parameter, the units (along its first axis) that have a twin in weights and gradients.

    Looked at when backward has returned, at steps 0, 1, 2, 4, 8, …: symmetry is broken at the beginning or never.

    Units are not compared with each other but by two random projections of their weights and two of their gradients:
    twins agree in all four, and are neighbours when the units are sorted by one of them. Of others, two that differ by
    a share s of their size agree in a projection with a probability of about `TOLERANCE` / s x the root of the width.
    """

    name = "equal_units"
    signals = ("equal_units",)

    def backward_ended(self, parameters: Sequence[Parameter], sample: Sample) -> None:
        """Put the share of units with a twin."""
        if not doubled(sample.step):
            return
        groups: dict[tuple[torch.device, int], list[tuple[Parameter, Tensor]]] = {}
        for parameter in parameters:
            weight, gradient = parameter.tensor.detach(), parameter.tensor.grad
            if gradient is None or gradient.layout is not torch.strided or not weight.is_floating_point():
                continue
            if weight.dim() > 1 and weight.shape[0] > 1 and weight.numel():
                projected = torch.cat([_projected(weight), _projected(gradient.detach())], dim=1)
                groups.setdefault((weight.device, len(projected)), []).append((parameter, projected))
        for members in groups.values():
            shares = twin_share(torch.stack([projected for _, projected in members]))
            sample.parameters("equal_units", [parameter for parameter, _ in members], shares.unbind())


def _projected(matrix: Tensor) -> Tensor:
    """Return, a unit, two random projections in units of the tolerance at its size [units, 2], and that size."""
    rows = matrix.flatten(1)
    rows = in_float32(rows[:: -(-len(rows) // UNITS), :: -(-rows.shape[1] // WIDTH)])
    generator = torch.Generator(rows.device).manual_seed(0)  # our own: the user's random numbers stay as they are
    directions = torch.randn(rows.shape[1], 2, generator=generator, device=rows.device, dtype=rows.dtype)
    allowed = TOLERANCE * torch.linalg.vector_norm(rows, dim=1, keepdim=True) * rows.shape[1] ** 0.5
    return torch.cat([rows @ directions, allowed], dim=1)


def twin_share(projected: Tensor) -> Tensor:
    """Return, a parameter, the share of units that agree with a neighbour.

    `projected` is [parameters, units, 6]: two projections of the weights and how far twins may differ in them, and the
    same of the gradients.
    """
    order = projected[:, :, 0].argsort(dim=1)
    ordered = projected.gather(1, order[:, :, None].expand_as(projected))
    apart = (ordered[:, 1:] - ordered[:, :-1]).abs()
    allowed = ordered[:, 1:, 2::3]  # [parameters, units - 1, 2]
    agree = (apart[:, :, 0:2] <= allowed[:, :, :1]).all(2) & (apart[:, :, 3:5] <= allowed[:, :, 1:]).all(2)
    alone = torch.zeros_like(agree[:, :1])
    return (torch.cat([alone, agree], 1) | torch.cat([agree, alone], 1)).float().mean(1)
