"""The snippets of `recipes/labels.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from tests.recipes.script import Names, apply, digits_script, paste, train, validation_loss


def with_wrong_labels(share: float) -> tuple[Names, torch.Tensor]:
    """A script in which a share of the labels is wrong, and which ones."""
    script = digits_script(rate=0.3)
    wrong = torch.rand(256) < share
    script["targets"] = torch.where(wrong, (script["targets"] + torch.randint(1, 10, (256,))) % 10, script["targets"])
    return script, wrong


def test_check_labels() -> None:
    """Of the twenty examples with the largest losses most are those whose labels were made wrong."""
    script, wrong = with_wrong_labels(0.1)
    train(script, 60)
    apply("check-labels", script)
    assert wrong[script["suspects"]].float().mean() > 0.7
    script["targets"][0] = 10
    with pytest.raises((AssertionError, IndexError)):
        paste("check-labels", script)


def test_balance_classes() -> None:
    """Classes of 95 % and 5 % come equally often, and the rare one is recognized."""

    def imbalanced() -> Names:
        script = digits_script(rate=0.05)
        ones = (script["targets"] == 8).long()
        rare = ones.nonzero()[:13, 0]
        kept = torch.cat([(ones == 0).nonzero()[:, 0], rare])
        return script | {"inputs": script["inputs"][kept], "targets": ones[kept]}

    script = apply("balance-classes", imbalanced())
    labels = torch.cat([labels for _, labels in script["loader"]])
    assert float(labels.float().mean()) == pytest.approx(0.5, abs=0.1)
    rare = script["inputs"][script["targets"] == 1]
    assert float((script["model"](rare)[:, :2].argmax(dim=1) == 1).float().mean()) > 0.8


def test_label_smoothing() -> None:
    """The largest probability stays near 0.9, where it went to 1 before, and the loss ends at its bound."""
    plain = digits_script(rate=0.5)
    train(plain, 500)
    script = apply("label-smoothing", digits_script(rate=0.5))
    last = train(script, 500)[-1]
    sure = plain["model"](plain["inputs"]).softmax(dim=1).amax(dim=1).median()
    smoothed = script["model"](script["inputs"]).softmax(dim=1).amax(dim=1).median()
    assert sure.item() > 0.98
    assert 0.85 < smoothed.item() < 0.95
    entropy = -(0.91 * math.log(0.91) + 9 * 0.01 * math.log(0.01))
    assert entropy < last < entropy + 0.15
    assert isinstance(script["validation_loss_fn"], nn.CrossEntropyLoss)


def test_small_loss_selection() -> None:
    """With a third of the labels wrong, validation is far better than after training on all of them."""
    plain, _ = with_wrong_labels(0.3)
    script = plain | {"model": copy.deepcopy(plain["model"])}
    for each in (plain, script):
        each["optimizer"] = torch.optim.Adam(each["model"].parameters(), lr=1e-2)
    train(plain, 200)
    paste("small-loss-selection", script)
    assert validation_loss(script) < validation_loss(plain)


def test_ignore_padding() -> None:
    """The loss and the accuracy are those of the data alone, whatever the filled positions say."""
    script = paste("ignore-padding", digits_script())
    scores, labels = torch.randn(4, 10, 6), torch.randint(1, 10, (4, 6))
    labels[1:, 2:] = 0
    data = labels != 0
    expected = nn.functional.cross_entropy(scores.movedim(1, -1)[data], labels[data])
    assert float(script["loss_fn"](scores, labels)) == pytest.approx(float(expected))
    right = scores.argmax(1)[data] == labels[data]
    assert float(script["accuracy"](scores, labels)) == pytest.approx(float(right.float().mean()))
    script = apply("ignore-padding", digits_script(rate=0.5))
    assert train(script, 100)[-1] < 0.5
