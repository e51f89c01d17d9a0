"""The snippets of `recipes/transfer.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import math

import torch
from torch import nn

from tests.recipes.script import Names, apply, backward, deep, digits_script, paste, train, validation_loss


def test_transfer_learning() -> None:
    """With the features of a model that knows the digits, twenty examples of a new task teach more than without."""

    def quadrant(model: nn.Module | None = None) -> Names:
        """Twenty examples, and the questions whether a digit is odd and whether it is above four."""
        script = digits_script(model)
        for name in ("targets", "validation_targets"):
            script[name] = script[name] % 2 + 2 * (script[name] > 4)
        return script | {"inputs": script["inputs"][:20], "targets": script["targets"][:20]}

    pretrained = digits_script()
    pretrained["optimizer"] = torch.optim.Adam(pretrained["model"].parameters(), lr=1e-2)
    train(pretrained, 100)
    scratch, script = quadrant(), quadrant(pretrained["model"])
    frozen = script["model"][0].weight.clone()
    apply("transfer-learning", script)

    def accuracy(each: Names) -> float:
        right = each["model"](each["validation_inputs"]).argmax(dim=1) == each["validation_targets"]
        return right.float().mean().item()

    assert train(script, 40)[-1] < 0.1 * train(scratch, 40)[-1]
    assert accuracy(script) > accuracy(scratch) + 0.05
    assert torch.equal(script["model"][0].weight, frozen)


def test_multi_task_learning() -> None:
    """Both tasks are learnt by the shared layers."""
    script = digits_script()
    before = backward(script)
    apply("multi-task-learning", script)
    assert backward(script) < 0.6 * before
    features = script["shared"](script["inputs"])
    second = nn.functional.cross_entropy(script["second_head"](features), script["second_targets"])
    assert second < 0.6 * math.log(2)


def test_self_supervised_pretraining() -> None:
    """The turns are recognized, and thirty labels teach more than from scratch."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    script, scratch = digits_script(model, images=True), digits_script(images=True)
    scratch["model"] = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    scratch["model"].load_state_dict(model.state_dict())
    scratch["optimizer"] = torch.optim.SGD(scratch["model"].parameters(), lr=0.1)
    paste("self-supervised-pretraining", script)
    assert script["pretext_loss"] < 0.7 * math.log(4)
    for each in (script, scratch):
        each["inputs"], each["targets"] = each["inputs"][:30], each["targets"][:30]
        train(each, 60)
    assert validation_loss(script) < validation_loss(scratch)


def test_layer_wise_pretraining() -> None:
    """Deep sigmoid layers reconstruct what they were given, and training starts where it did not."""
    plain, script = (digits_script(deep(nn.Sigmoid, depth=3), rate=0.5) for _ in range(2))
    stuck = train(plain, 100)[-1]
    apply("layer-wise-pretraining", script)
    assert script["reconstruction_loss"] < script["representation"].var()
    assert train(script, 100)[-1] < 0.9 * stuck
