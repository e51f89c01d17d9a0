"""Equal units: units with the same weights and the same gradient, which stay equal for ever."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trainhealth.hooks.probes.base import Probe, doubled, in_float32
from trainhealth.hooks.probes.gradients import dense_values
from trainhealth.hooks.sample import Parameter, Sample

TOLERANCE = 1e-6  # of a unit's size
LARGEST = 1 << 22  # weights that are looked at in one go
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
        groups: dict[tuple[torch.device, torch.dtype, torch.Size], list[tuple[Parameter, Tensor, Tensor]]] = {}
        for parameter in parameters:
            if parameter.tensor.grad is None or parameter.tensor.grad.is_sparse or parameter.tensor.dim() < 2:
                continue
            weight, gradient = dense_values(parameter.tensor), dense_values(parameter.tensor.grad)
            if weight.shape[0] > 1 and weight.numel():
                part = _part(weight)
                key = weight.device, weight.dtype, part.shape
                groups.setdefault(key, []).append((parameter, part, _part(gradient)))
        for (_, _, shape), members in groups.items():
            together = max(1, LARGEST // shape.numel())
            for begin in range(0, len(members), together):
                of, weights, gradients = zip(*members[begin : begin + together], strict=True)
                shares = twin_share(torch.cat([_projected(weights), _projected(gradients)], dim=2))
                sample.parameters("equal_units", of, shares.unbind())


def _part(matrix: Tensor) -> Tensor:
    """Return at most `UNITS` units and `WIDTH` of their weights [units, width]."""
    rows = matrix.flatten(1)
    return rows[:: -(-len(rows) // UNITS), :: -(-rows.shape[1] // WIDTH)]


def _projected(matrices: Sequence[Tensor]) -> Tensor:
    """Return, a unit, two random projections and how far twins may differ in them [matrices, units, 3]."""
    together = in_float32(torch.stack(list(matrices)))
    count, units, width = together.shape
    rows = together.view(-1, width)
    generator = torch.Generator(rows.device).manual_seed(0)  # our own: the user's random numbers stay as they are
    directions = torch.randn(2, width, generator=generator, device=rows.device, dtype=rows.dtype)
    allowed = TOLERANCE * width**0.5 * torch.linalg.vector_norm(rows, dim=1)
    return torch.stack([rows.mv(directions[0]), rows.mv(directions[1]), allowed], dim=1).view(count, units, 3)


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
