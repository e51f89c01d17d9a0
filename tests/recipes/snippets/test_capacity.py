"""The snippets of `recipes/capacity.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.recipes.script import (
    apply,
    backward,
    digits_script,
    train,
)


def test_larger_model() -> None:
    """The training loss falls well below that of the smaller model after as many steps."""
    small = nn.Sequential(nn.Linear(64, 2), nn.ReLU(), nn.Linear(2, 10))
    script = digits_script(small)
    script["optimizer"] = torch.optim.AdamW(small.parameters(), lr=1e-3)
    before = train(script, 100)[-1]
    assert train(apply("larger-model", script), 100)[-1] < 0.3 * before


def test_train_longer() -> None:
    """The loss at the end lies below that of a third of the epochs, and the schedule has come to its end."""
    short = train(digits_script(rate=0.5), 20)[-1]
    torch.manual_seed(0)
    script = apply("train-longer", digits_script(rate=0.5))
    assert backward(script) < 0.8 * short
    assert script["schedule"].get_last_lr()[0] == pytest.approx(0, abs=1e-9)
