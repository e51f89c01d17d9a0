"""The snippets of `recipes/stopping.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import torch
from torch import nn

from tests.recipes.script import Names, digits_script, paste


def overfitting() -> Names:
    """A script whose validation loss turns up soon."""
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))
    script = digits_script(model)
    script["optimizer"] = torch.optim.Adam(model.parameters(), lr=1e-2)
    script["inputs"], script["targets"] = script["inputs"][:40], script["targets"][:40]
    script["validation_inputs"], script["validation_targets"] = (
        script["validation_inputs"][:60],
        script["validation_targets"][:60],
    )
    return script


def test_early_stopping_retrain() -> None:
    """The second training has the best number of steps, sees all data, and does better on unseen ones."""
    script = overfitting()
    unseen = digits_script()["validation_inputs"][100:], digits_script()["validation_targets"][100:]
    first = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))
    paste("early-stopping-retrain", script)
    assert 0 < script["best_steps"] < script["step"] < 500
    assert len(script["all_inputs"]) == 100
    # the same steps on the training examples alone
    first.load_state_dict(script["start"])
    optimizer = torch.optim.Adam(first.parameters(), lr=1e-2)
    for _ in range(script["best_steps"]):
        optimizer.zero_grad()
        script["loss_fn"](first(script["inputs"]), script["targets"]).backward()
        optimizer.step()
    again, once = (script["loss_fn"](m(unseen[0]), unseen[1]).item() for m in (script["model"], first))
    assert again < once


def test_early_stopping_continue() -> None:
    """The loss on the former validation examples ends at the training loss of the stopped model."""
    script = paste("early-stopping-continue", overfitting())
    assert script["goal"] < script["best_loss"]
    assert script["loss_on"](script["validation_inputs"], script["validation_targets"]) <= script["goal"]
