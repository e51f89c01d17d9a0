"""The snippets of `recipes/gradients.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.recipes.script import (
    apply,
    deep,
    digits_script,
    first_gradient_norm,
    paste,
)


def test_gradient_clipping() -> None:
    """A gradient that is too large is scaled down to the limit."""
    script = digits_script(rate=1e-3)
    script["inputs"] *= 100
    paste("gradient-clipping", script)
    gradients = torch.cat([parameter.grad.flatten() for parameter in script["model"].parameters()])
    assert float(script["gradient_norm"]) > 10
    assert float(gradients.norm()) == pytest.approx(1.0, rel=1e-3)


def test_residual_connections() -> None:
    """The gradient reaches the first layer of a chain in which it vanished."""
    before = first_gradient_norm(digits_script(deep(nn.ReLU, scale=0.05)))
    torch.manual_seed(0)
    script = apply("residual-connections", digits_script(deep(nn.ReLU, scale=0.05)))
    last = float(script["model"][-1].weight.grad.norm())
    assert first_gradient_norm(script) > 1000 * before
    assert 0.1 < first_gradient_norm(script) / last < 10


class Recall(nn.Module):
    """Answers at the end of a sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(4, 16, batch_first=True)
        self.head = nn.Linear(16, 4)

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:
        states, _ = self.rnn(sequence)
        answer: torch.Tensor = self.head(states[:, -1])
        return answer


def share_at_the_beginning(model: nn.Module) -> float:
    """The gradient of the first of 60 steps over that of the last."""
    sequence = torch.randn(8, 60, 4, requires_grad=True)
    model(sequence).sum().backward()
    norms = sequence.grad.norm(dim=(0, 2))
    return float(norms[0] / norms[-1])


def test_gated_recurrence() -> None:
    """The beginning of a sequence gets a gradient, where it got nothing; the optimizer has the new weights."""
    model = Recall()
    before = share_at_the_beginning(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    script = {"model": model, "optimizer": optimizer}
    paste("gated-recurrence", script)
    assert share_at_the_beginning(script["model"]) > 1e6 * before
    optimized = {id(p) for group in script["optimizer"].param_groups for p in group["params"]}
    assert optimized == {id(p) for p in script["model"].parameters()}
