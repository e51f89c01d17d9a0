"""The snippet of `recipes/pruning.py` runs on a real model, and does what `verify` promises."""

from __future__ import annotations

import torch

from tests.recipes.script import apply, digits_script, train


def test_lottery_ticket() -> None:
    """Half of the weights are zero, the rest are the initial ones, and train as well as all of them."""
    script = digits_script(rate=0.3)
    whole = digits_script(rate=0.3)
    whole["model"].load_state_dict(script["model"].state_dict())
    apply("lottery-ticket", script)
    layers = [script["model"][0], script["model"][2]]
    zeros = sum(int((layer.weight == 0).sum()) for layer in layers) / sum(layer.weight.numel() for layer in layers)
    assert 0.49 < zeros < 0.51
    assert torch.equal(script["model"][0].weight_orig, script["start"]["0.weight"])
    assert train(script, 100)[-1] < 1.1 * train(whole, 100)[-1]
    assert float((script["model"][0].weight == 0).float().mean()) > 0.3
