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


@pytest.mark.parametrize("bias", [True, False])
def test_gated_recurrence_keeps_what_the_layer_gives(bias: bool) -> None:
    """Both directions, layers and axes are those of the layer that is replaced, with biases or without."""
    recurrent = torch.nn.RNN(3, 4, num_layers=2, bias=bias, batch_first=True, bidirectional=True)
    model = torch.nn.Sequential(recurrent)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    replaced = paste("gated-recurrence", {"model": model, "optimizer": optimizer})["model"][0]
    x = torch.randn(2, 5, 3)
    assert type(replaced) is torch.nn.GRU
    assert [part.shape for part in replaced(x)] == [part.shape for part in recurrent(x)]
    gates = [p for name, p in replaced.named_parameters() if name.startswith("bias_hh")]
    assert all(torch.equal(gate[4:8], torch.full((4,), 3.0)) for gate in gates)
    assert len(gates) == (4 if bias else 0)
