"""Recurrence: what is left of a gradient that goes back through all steps of a sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainhealth.hooks.probes.base import Probe, doubled
from trainhealth.hooks.sample import Place, Sample

ROUNDS = 32  # of the power iteration: a pair of complex eigenvalues makes single rounds swing


class Recurrence(Probe):
    """Measures plain recurrent layers (`nn.RNN`) at steps 0, 1, 2, 4, 8, …

    The gradient passes the recurrent weights once a time step, and derivatives of at most 1 besides. Gates (LSTM, GRU)
    pass it on another way, which no weight tells.
    """

    name = "recurrence"
    signals = ("recurrent_gain",)

    def module_finished(self, place: Place, module: nn.Module, entered: Tensor, output: Tensor, sample: Sample) -> None:
        """Put the gain of the layer's first direction and level over the length of the sequence."""
        if type(module) is not nn.RNN or output.dim() != 3 or not doubled(sample.step):
            return
        length = output.shape[1 if module.batch_first else 0]
        weights = module.get_parameter("weight_hh_l0").detach().float()
        sample.layer("recurrent_gain", place, length * torch.log10(spectral_radius(weights)))


def spectral_radius(matrix: Tensor) -> Tensor:
    """Return the largest absolute eigenvalue of a square matrix, as the mean growth of a vector over `ROUNDS`.

    >>> round(float(spectral_radius(torch.diag(torch.tensor([0.5, 0.25])))), 2)
    0.5
    """
    vector = torch.linspace(0.5, 1.5, len(matrix), device=matrix.device, dtype=matrix.dtype)
    growth = torch.zeros((), device=matrix.device, dtype=matrix.dtype)
    for number in range(2 * ROUNDS):
        vector = matrix @ vector
        norm = torch.linalg.vector_norm(vector)
        vector = vector / norm.clamp_min(torch.finfo(matrix.dtype).tiny)
        if number >= ROUNDS:  # the first ones turn the vector into the leading direction
            growth = growth + norm.log()
    return (growth / ROUNDS).exp()
