"""The snippets of `recipes/debugging.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.recipes.script import (
    apply,
    deep,
    digits_script,
    paste,
)


def test_check_the_loss() -> None:
    """The initial loss is near log 10, the small sample is learnt by heart, and the model is as it was."""
    script = digits_script(rate=0.5)
    before = script["model"][0].weight.clone()
    apply("check-the-loss", script)
    assert script["initial_loss"] == pytest.approx(script["expected_loss"], abs=0.3)
    assert script["overfitted_loss"] < 0.05
    assert torch.equal(before, script["model"][0].weight)


def test_find_first_nonfinite() -> None:
    """The layer in which a NaN was planted is named first; in a healthy model none is named, and no hook is left."""
    sick = digits_script(deep(nn.ReLU, depth=3))
    with torch.no_grad():
        sick["model"][2].weight[0, 0] = torch.nan
    paste("find-first-nonfinite", sick)
    assert sick["nonfinite"][0] == "2"
    well = apply("find-first-nonfinite", digits_script())
    assert well["nonfinite"] == []
    assert not any(module._forward_hooks for module in well["model"].modules())
