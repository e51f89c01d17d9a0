"""The snippets of `recipes/normalization.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.recipes.script import (
    apply,
    deep,
    digits_script,
    train,
)


def test_batch_normalization() -> None:
    """Outputs are normalized from the start, evaluation is not random, and a much higher rate trains."""
    script = apply("batch-normalization", digits_script(deep(nn.ReLU, scale=0.01), rate=0.3))
    norm = next(index for index, layer in enumerate(script["model"]) if isinstance(layer, nn.BatchNorm1d))
    script["model"].train()
    assert script["model"][: norm + 1](script["inputs"]).std().item() == pytest.approx(1.0, abs=0.2)
    assert train(script, 60)[-1] < 1.0
    script["model"].eval()
    assert torch.equal(script["model"](script["inputs"]), script["model"](script["inputs"]))
