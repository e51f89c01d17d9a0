"""The snippets of `recipes/penalties.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import torch
from torch import nn

from tests.recipes.script import apply, backward, digits_script, paste, train


def norm(model: nn.Module) -> float:
    """The L2 norm of all weights."""
    return float(torch.cat([parameter.detach().flatten() for parameter in model.parameters()]).norm())


def test_l1_l2_elastic_net() -> None:
    """Weights are smaller than without, and many more lie near zero."""
    plain = digits_script(rate=0.5)
    train(plain, 300)
    script = paste("l1-l2-elastic-net", digits_script(rate=0.5))
    assert norm(script["model"]) < 0.95 * norm(plain["model"])
    small, small_before = (float((s["model"][0].weight.abs() < 0.01).float().mean()) for s in (script, plain))
    assert small > 2 * small_before
    apply("l1-l2-elastic-net", script)


def test_sparse_activations() -> None:
    """The layer's mean activation falls, no hook is left, and the data are still learnt."""
    plain = digits_script(rate=0.5)
    train(plain, 200)
    torch.manual_seed(0)
    script = paste("sparse-activations", digits_script(rate=0.5))
    mean, mean_before = (s["model"][:2](s["inputs"]).mean().item() for s in (script, plain))
    assert mean < 0.7 * mean_before
    assert backward(script) < 0.5
    assert not script["model"][1]._forward_hooks


def test_bottleneck_layer() -> None:
    """There are fewer parameters, the layer is the best one of its rank, and the model trains on."""
    script = digits_script()
    train(script, 100)
    wide, count = script["model"][0], sum(p.numel() for p in script["model"].parameters())
    apply("bottleneck-layer", script)
    assert sum(p.numel() for p in script["model"].parameters()) < 0.6 * count
    product = script["model"][1].weight @ script["model"][0].weight
    left_out = torch.linalg.svdvals(wide.weight)[8:].square().sum().sqrt()
    assert torch.allclose((product - wide.weight).norm(), left_out, rtol=1e-3)
