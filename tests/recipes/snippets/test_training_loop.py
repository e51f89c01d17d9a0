"""The snippets of `recipes/training_loop.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch import nn

from tests.recipes.script import apply, backward, digits_script, paste, train


def test_zero_gradients() -> None:
    """The gradient is that of the last batch, not the sum of all."""
    script = digits_script(rate=0.0)
    paste("zero-gradients", script)
    left = script["model"][0].weight.grad.clone()
    backward(script)
    assert torch.allclose(left, script["model"][0].weight.grad)
    apply("zero-gradients", digits_script())


def test_check_parameter_groups() -> None:
    """A layer that was replaced after the optimizer was made is named, and learns from then on."""
    script = digits_script()
    script["model"][2] = nn.Linear(32, 10)
    stays = script["model"][2].weight.clone()
    train(script, 3)
    assert torch.equal(stays, script["model"][2].weight)
    paste("check-parameter-groups", script)
    assert list(script["missing"]) == ["2.weight", "2.bias"]
    train(script, 3)
    assert not torch.equal(stays, script["model"][2].weight)
    assert not apply("check-parameter-groups", digits_script())["missing"]


def test_unfreeze_layers() -> None:
    """Frozen layers move again at a tenth of the head's rate, and the loss falls further."""
    script = digits_script()
    for parameter in script["model"][0].parameters():
        parameter.requires_grad = False
    script["optimizer"] = torch.optim.SGD(script["model"][2].parameters(), lr=0.5)
    stuck = train(script, 300)[-1]
    apply("unfreeze-layers", script)
    assert [group["lr"] for group in script["optimizer"].param_groups] == pytest.approx([0.5, 0.05])
    assert train(script, 300)[-1] < 0.9 * stuck


def test_train_and_eval_mode() -> None:
    """Evaluation is repeatable and training is random, whatever the mode was before."""
    model = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 10)).eval()
    script = apply("train-and-eval-mode", digits_script(model))
    assert script["model"].training
    model.eval()
    with torch.no_grad():
        again = script["loss_fn"](model(script["validation_inputs"]), script["validation_targets"])
    assert isinstance(script["validation_loss"], float)
    assert torch.equal(again, script["loss_fn"](model(script["validation_inputs"]), script["validation_targets"]))


def test_resume_from_checkpoint() -> None:
    """A run that is resumed from the file goes on exactly like the one that was not interrupted."""
    script = digits_script()
    script["optimizer"] = torch.optim.Adam(script["model"].parameters(), lr=1e-2)
    train(script, 5)
    paste("resume-from-checkpoint", script)
    stored = script["file"].getvalue()
    going_on = train(script, 5)
    resumed = digits_script(copy.deepcopy(script["model"]))
    resumed["optimizer"] = torch.optim.Adam(resumed["model"].parameters(), lr=1e-2)
    state = torch.load(io.BytesIO(stored), weights_only=True)
    resumed["model"].load_state_dict(state["model"])
    resumed["optimizer"].load_state_dict(state["optimizer"])
    assert train(resumed, 5) == going_on
    assert script["first_epoch"] == 8
