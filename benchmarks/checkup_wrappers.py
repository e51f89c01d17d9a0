"""Models that are wrapped to have a fault which `benchmarks.checkup` plants."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn


class Wrapped(nn.Module):
    """A healthy model inside of a sick one."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the healthy model's outputs."""
        outputs: Tensor = self.model(inputs)
        return outputs


class Scaled(nn.Module):
    """Multiplies."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, outputs: Tensor) -> Tensor:
        """Return the product."""
        return self.factor * outputs


class Detached(Wrapped):
    """Cuts the outputs off the graph."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return outputs without a gradient."""
        return super().forward(inputs).detach()


class Unreached(Wrapped):
    """Has a layer that nothing goes through."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.forgotten = nn.Linear(4, 4)


class Mixed(Wrapped):
    """Centres the outputs over the batch, in evaluation mode, too: examples depend on each other."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs minus their mean over the examples."""
        outputs = super().forward(inputs)
        return outputs - outputs.mean(0)


class Blind(Wrapped):
    """Looks at zeros instead of its inputs."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what the model makes of zeros."""
        return super().forward(torch.zeros_like(inputs))


class LooksAhead(Wrapped):
    """Adds the outputs for the reversed sequence: each position sees all later ones."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return outputs [N, T, classes] of both directions."""
        return super().forward(inputs) + super().forward(inputs.flip(1)).flip(1)


class Always(Wrapped):
    """Drops in evaluation mode, too."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs with a third of them dropped."""
        return F.dropout(super().forward(inputs), 0.3)


class OtherInEvaluation(Wrapped):
    """Returns something else in evaluation mode."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs, in evaluation mode of the wrong sign."""
        outputs = super().forward(inputs)
        return outputs if self.training else -3 * outputs
