"""The snippets of `recipes/dropout_variants.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.recipes.script import apply, convolutional, digits_script, paste


def test_curriculum_dropout() -> None:
    """Nothing is dropped at first, and half of the units in the end."""
    script = apply("curriculum-dropout", digits_script())
    assert script["dropouts"][0].p == pytest.approx(0.5, abs=0.001)
    seen: list[float] = []
    script = digits_script(nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)))
    inner = script["loss_fn"]
    script["loss_fn"] = lambda outputs, targets: seen.append(script["dropouts"][0].p) or inner(outputs, targets)
    paste("curriculum-dropout", script)
    assert seen[0] == 0
    assert seen == sorted(seen)
    assert seen[20] == pytest.approx(0.5 * (1 - 0.3679), abs=0.001)


def test_feature_map_dropout() -> None:
    """Whole maps are dropped, in training only; fully connected layers are left alone."""
    script = apply("feature-map-dropout", digits_script(convolutional(nn.ReLU(), nn.Linear(10, 10)), images=True))
    assert [type(layer) for layer in script["model"]].count(nn.Dropout2d) == 2
    maps = script["model"][:3](script["inputs"] + 1)
    empty = (maps == 0).flatten(2).all(dim=2)
    alive = (script["model"][:2](script["inputs"] + 1) != 0).flatten(2).any(dim=2)
    assert float(empty[alive].float().mean()) == pytest.approx(0.2, abs=0.05)
    script["model"].eval()
    assert torch.equal(script["model"](script["inputs"]), script["model"](script["inputs"]))
