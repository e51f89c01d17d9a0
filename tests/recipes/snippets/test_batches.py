"""The snippets of `recipes/batches.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.recipes.script import Names, apply, backward, digits_script, paste, train


def gradient(script: Names) -> Tensor:
    """The gradient of all parameters as one vector."""
    return torch.cat([parameter.grad.flatten() for parameter in script["model"].parameters()])


def test_batch_size() -> None:
    """Batches of 64 are drawn, and their losses scatter by half as much as those of 16: sigma / sqrt(n)."""
    script = apply("batch-size", digits_script())
    assert [len(batch) for batch, _ in script["loader"]] == [64] * 4

    def spread(size: int) -> Tensor:
        draws = [torch.randint(256, (size,)) for _ in range(300)]
        losses = [script["loss_fn"](script["model"](script["inputs"][d]), script["targets"][d]) for d in draws]
        return torch.stack(losses).detach().std()

    assert float(spread(16) / spread(64)) == pytest.approx(2.0, rel=0.2)


def test_scale_rate_with_batch() -> None:
    """A quarter of the steps at four times the batch and rate comes to the loss of the small batches."""
    small = digits_script(rate=0.1)
    for _ in range(40):
        for part, labels in zip(small["inputs"].split(64), small["targets"].split(64), strict=True):
            small["optimizer"].zero_grad()
            small["loss_fn"](small["model"](part), labels).backward()
            small["optimizer"].step()
    torch.manual_seed(0)
    large = paste("scale-rate-with-batch", digits_script(rate=0.1))
    assert large["optimizer"].param_groups[0]["lr"] == pytest.approx(0.4)
    train(large, 30)  # 20 steps of warm-up count for half
    assert backward(large) == pytest.approx(backward(small), rel=0.1)


def test_gradient_accumulation() -> None:
    """The gradient of four parts is that of the whole batch."""
    script = digits_script(rate=0.0)
    paste("gradient-accumulation", script)
    accumulated = gradient(script)
    backward(script)
    assert torch.allclose(accumulated, gradient(script), atol=1e-6)
    apply("gradient-accumulation", digits_script())
