"""The snippets of `recipes/noise.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.recipes.script import Names, apply, backward, deep, digits_script, paste, train


def assert_random_in_training_only(script: Names) -> None:
    """Two forward passes differ in training and agree in evaluation."""
    model, inputs = script["model"].train(), script["inputs"]
    assert not torch.equal(model(inputs), model(inputs))
    model.eval()
    assert torch.equal(model(inputs), model(inputs))
    model.train()


def test_stochastic_depth() -> None:
    """Blocks are skipped by example, in training only, more often in deeper ones, and right on average."""
    script = apply("stochastic-depth", digits_script(deep(nn.ReLU, depth=4)))
    assert_random_in_training_only(script)
    blocks = [layer for layer in script["model"] if type(layer).__name__ == "Skippable"]
    assert [block.drop for block in blocks] == pytest.approx([0.05, 0.1, 0.15, 0.2])
    x = torch.randn(1, 64)
    mean = blocks[-1](x.expand(20_000, -1)).mean(dim=0)
    assert torch.allclose(mean, blocks[-1].eval()(x)[0], atol=0.03)


def test_dropconnect() -> None:
    """Weights are dropped, in training only, and right on average."""
    script = apply("dropconnect", digits_script())
    assert_random_in_training_only(script)
    layer = script["model"][0]
    assert float((layer.weight == 0).float().mean()) == pytest.approx(0.3, abs=0.05)
    mean = torch.stack([layer.weight for _ in range(2000)]).mean(dim=0)
    assert torch.allclose(mean, layer.eval().weight, atol=0.02)


def test_fractional_pooling() -> None:
    """Predictions differ, and the mean of eight is better than one on average."""
    script = apply("fractional-pooling", digits_script(images=True))
    script["optimizer"] = torch.optim.Adam(script["model"].parameters(), lr=1e-2)
    train(script, 100)
    x, y = script["validation_inputs"], script["validation_targets"]
    singles = [script["predict"](x, 1) for _ in range(8)]
    assert not torch.equal(singles[0], singles[1])
    nll = nn.functional.nll_loss
    assert nll(script["predict"](x).log(), y) < torch.stack([nll(single.log(), y) for single in singles]).mean()


def test_weight_noise() -> None:
    """The noise has the standard deviation asked for, in training only."""
    script = paste("weight-noise", digits_script())
    assert_random_in_training_only(script)
    layer = script["model"][0]
    noise = torch.stack([layer.weight for _ in range(200)]).std(dim=0).mean()
    assert noise.item() == pytest.approx(0.01, rel=0.02)
    before = backward(script)
    assert train(script, 100)[-1] < 0.5 * before
