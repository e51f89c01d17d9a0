"""The snippets of `recipes/initialization.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

from torch import nn

from tests.recipes.script import (
    Names,
    apply,
    deep,
    digits_script,
)


def activation_stds(script: Names) -> list[float]:
    """Return the standard deviation of each activation, in order."""
    stds: list[float] = []
    out = script["inputs"]
    for layer in script["model"]:
        out = layer(out)
        if not isinstance(layer, nn.Linear):
            stds.append(out.std().item())
    return stds


def test_he_initialization() -> None:
    """The signal keeps its scale through ten ReLU layers."""
    before = activation_stds(digits_script(deep(nn.ReLU, scale=0.01)))
    after = activation_stds(apply("he-initialization", digits_script(deep(nn.ReLU, scale=0.01))))
    assert before[-1] < 1e-6 * before[0]
    assert 0.3 < after[-1] / after[0] < 3


def test_xavier_initialization() -> None:
    """The signal stays within an order of magnitude through ten tanh layers, and nothing is saturated."""
    before = activation_stds(digits_script(deep(nn.Tanh, scale=0.01)))
    after = activation_stds(apply("xavier-initialization", digits_script(deep(nn.Tanh, scale=0.01))))
    assert before[-1] < 1e-6 * before[0]
    assert after[-1] > 0.1 * after[0]
    assert max(after) < 0.9


def test_small_positive_bias() -> None:
    """Units that were dead by their bias fire again."""
    script = digits_script()
    nn.init.constant_(script["model"][0].bias, -10)
    assert script["model"][:2](script["inputs"]).amax(dim=0).eq(0).all()
    apply("small-positive-bias", script)
    assert script["model"][:2](script["inputs"]).amax(dim=0).gt(0).all()
