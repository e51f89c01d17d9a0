"""The snippets of `recipes/inputs.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import torch
from torch import nn

from tests.recipes.script import apply, convolutional, digits_script, train


def test_whiten_inputs() -> None:
    """The covariance is the identity, and the loss falls faster than on raw inputs."""
    plain = train(digits_script(), 30)[-1]
    script = apply("whiten-inputs", digits_script())
    size = script["inputs"].shape[1]
    assert torch.allclose(torch.cov(script["inputs"].T), torch.eye(size), atol=1e-3)
    assert script["validation_inputs"].shape[1] == size < 64
    assert train(script, 30)[-1] < plain


def test_test_time_augmentation() -> None:
    """The mean over five views is better than a view on average."""
    script = digits_script(convolutional(), images=True)
    script["optimizer"] = torch.optim.Adam(script["model"].parameters(), lr=1e-2)
    train(script, 40)
    apply("test-time-augmentation", script)
    x, y = script["validation_inputs"], script["validation_targets"]
    together = nn.functional.nll_loss(script["predict"](x).log(), y)
    with torch.no_grad():
        views = [nn.functional.cross_entropy(script["model"](view), y) for view in script["views"](x)]
    assert len(views) == 5
    assert together < torch.stack(views).mean()
