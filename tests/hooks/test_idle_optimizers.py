"""Of several optimizers, one whose turn never comes is told of; players that wait, and parts without a say, are not."""

from __future__ import annotations

import torch
from torch import nn

import trainhealth
from trainhealth.hooks.idle_optimizers import PATIENCE

LONG = 2 * PATIENCE + 1  # a power of two, which is always sampled, lies beyond the patience


def facts(tmp_path, *, used=lambda step: False, weight=1.0, steps=LONG):
    """Train two models in a row, the first one's optimizer where `used(step)`, and return what the log knows."""
    torch.manual_seed(0)
    models = {"first": nn.Linear(3, 4), "second": nn.Linear(4, 1)}
    optimizers = {name: torch.optim.SGD(model.parameters(), lr=0.01) for name, model in models.items()}
    with trainhealth.watch(models, optimizers, run_dir=tmp_path / "run") as watch:
        for step in range(steps):
            for optimizer in optimizers.values():
                optimizer.zero_grad()
            hidden = models["first"](torch.randn(8, 3))
            loss = models["second"](weight * hidden).square().mean()
            loss.backward()
            if used(step):
                optimizers["first"].step()
            optimizers["second"].step()
            watch.step(loss)
    return trainhealth.load(tmp_path / "run").view.facts


def test_an_optimizer_that_is_never_stepped(tmp_path):
    """Its kind, and its first and last parameter."""
    told = {"type": "SGD", "parameters": ["first.weight", "first.bias"], "count": 2}
    assert facts(tmp_path)["never_stepped"] == told


def test_not_before_a_critic_would_have_had_its_turns(tmp_path):
    """In fewer updates of the other one than it takes to be sure."""
    assert "never_stepped" not in facts(tmp_path, steps=PATIENCE - 1)


def test_players_that_take_turns(tmp_path):
    """A hundred steps of the one before each of the other."""
    assert "never_stepped" not in facts(tmp_path, used=lambda step: step % 100 == 99)


def test_a_player_that_begins_late_is_taken_back(tmp_path):
    """It was told of, and then its turn has come."""
    assert facts(tmp_path, used=lambda step: step >= PATIENCE + 20)["never_stepped"] == {}


def test_a_part_that_does_not_count_yet(tmp_path):
    """Its gradients are zero: a term that is switched on later."""
    assert "never_stepped" not in facts(tmp_path, weight=0.0)
