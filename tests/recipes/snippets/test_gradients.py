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
