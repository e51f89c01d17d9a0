"""The snippets of `recipes/activations.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import torch
from torch import nn

from tests.recipes.script import (
    apply,
    deep,
    digits_script,
    first_gradient_norm,
)


def test_leaky_relu() -> None:
    """Units that are negative for all data get a gradient."""
    script = digits_script()
    nn.init.constant_(script["model"][0].bias, -10)
    assert first_gradient_norm(script) == 0
    assert first_gradient_norm(apply("leaky-relu", script)) > 0


def test_relu_instead_of_sigmoid() -> None:
    """The gradient of the first of five layers rises by orders of magnitude; a sigmoid at the end stays."""
    torch.manual_seed(0)
    script = digits_script(deep(nn.Sigmoid, depth=5))
    before = first_gradient_norm(script)
    assert first_gradient_norm(apply("relu-instead-of-sigmoid", script)) > 100 * before
    script = digits_script(nn.Sequential(nn.Linear(64, 16), nn.Sigmoid(), nn.Linear(16, 10), nn.Sigmoid()))
    model = apply("relu-instead-of-sigmoid", script)["model"]
    assert [type(layer) for layer in model] == [nn.Linear, nn.ReLU, nn.Linear, nn.Sigmoid]
