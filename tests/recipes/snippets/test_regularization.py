"""The snippets of `recipes/regularization.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from tests.recipes.script import apply, digits_script, few_examples, gap, paste, train


def test_early_stopping() -> None:
    """The run ends before its last epoch, with the weights of the best validation."""
    wide = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))
    script = digits_script(wide)
    script["optimizer"] = torch.optim.Adam(wide.parameters(), lr=1e-2)
    script["inputs"], script["targets"] = script["inputs"][:20], script["targets"][:20]
    apply("early-stopping", script)
    wide.eval()
    validation_loss = script["loss_fn"](wide(script["validation_inputs"]), script["validation_targets"]).item()
    assert validation_loss == pytest.approx(script["best_loss"])
    assert script["epoch"] < 199


def test_dropout() -> None:
    """Outputs differ from forward to forward in training, and not in evaluation."""
    script = apply("dropout", digits_script())
    model, inputs = script["model"], script["inputs"]
    assert not torch.equal(model(inputs), model(inputs))
    model.eval()
    assert torch.equal(model(inputs), model(inputs))


def test_dropout_narrows_the_gap() -> None:
    """Of a wide model that learns sixty examples by heart."""
    plain = few_examples()
    script = few_examples(copy.deepcopy(plain["model"]))
    paste("dropout", script)
    train(plain, 300)
    train(script, 300)
    assert gap(script) < 0.95 * gap(plain)


def test_weight_decay() -> None:
    """Without any gradient, weights shrink by the decay and biases stay."""
    script = apply("weight-decay", digits_script())
    weight, bias = (parameter.clone() for parameter in script["model"][0].parameters())
    for parameter in script["model"].parameters():
        parameter.grad = torch.zeros_like(parameter)
    for state in script["optimizer"].state.values():
        state["exp_avg"].zero_()  # the momentum of the five steps of training
    script["optimizer"].step()
    assert torch.allclose(script["model"][0].weight, weight * (1 - 1e-3 * 1e-2))
    assert torch.equal(script["model"][0].bias, bias)
