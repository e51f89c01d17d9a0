"""The gradient noise scale, from gradients of batches: how many examples a batch can use."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from trainhealth.checkups.subject import Subject, Trial

LEAST = 4  # batches whose gradients are compared


@dataclass(frozen=True, slots=True)
class Noise:
    """Squared norms of gradients, of batches of two sizes."""

    small: int  # examples a batch
    large: int
    small_norm: float  # mean of the squared norms of the gradients of small batches
    large_norm: float  # squared norm of the mean of those gradients

    @property
    def scale(self) -> float:
        """The simple noise scale in examples: trace of the covariance an example over the squared true gradient.

        McCandlish et al. 2018, equations A.2 and A.3; infinite where no true gradient shows.
        """
        signal = (self.large * self.large_norm - self.small * self.small_norm) / (self.large - self.small)
        noise = (self.small_norm - self.large_norm) / (1 / self.small - 1 / self.large)
        if not (math.isfinite(signal) and math.isfinite(noise)) or noise <= 0:
            return math.nan
        return noise / signal if signal > 0 else math.inf


def measure_noise(subject: Subject, trial: Trial, batches: list[object], size: int) -> Noise:
    """Return the noise of the gradients of batches of `size` examples, at the weights that the copy has.

    Batches are left out once the subject's time is spent and four are done.
    """
    total: list[Tensor] = []
    norms = []
    for batch in batches:
        trial.optimizer.zero_grad()
        with torch.enable_grad():
            trial.loss(batch).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        gradients = [p.grad.detach().float() for p in trial.model.parameters() if p.grad is not None]
        norms.append(_squared(gradients))
        if total:
            torch._foreach_add_(total, gradients)
        else:
            total = [gradient.clone() for gradient in gradients]
        if len(norms) >= LEAST and subject.time_left() < 0:
            break
    trial.optimizer.zero_grad()
    count = len(norms)
    return Noise(size, size * count, sum(norms) / count, _squared(total) / count**2)


def _squared(tensors: list[Tensor]) -> float:
    return float(torch.stack(torch._foreach_norm(tensors)).square().sum()) if tensors else math.nan
