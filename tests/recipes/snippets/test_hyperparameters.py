"""The snippets of `recipes/hyperparameters.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import pytest
import torch

from tests.recipes.script import digits_script, paste, train, validation_loss


def test_random_search() -> None:
    """The finer search ends far below a bad rate, what it found is what is set, and the model is as it was."""
    script = digits_script()
    before = script["model"][0].weight.clone()
    paste("random-search", script)
    assert torch.equal(before, script["model"][0].weight)
    assert script["best_loss"] < script["validation_loss_of"](1e-4, 0.0, 40) - 0.5
    assert script["low"] < script["best_rate"] < script["high"]
    train(script, 40)
    assert validation_loss(script) == pytest.approx(script["best_loss"], rel=1e-3)


def test_stop_explosions() -> None:
    """A run at a rate that is far too high ends early; a good one is not touched."""
    script = paste("stop-explosions", digits_script(rate=100.0))
    assert script["stopped_at"] is not None
    assert script["stopped_at"] < 30
    assert paste("stop-explosions", digits_script(rate=0.1))["stopped_at"] is None
