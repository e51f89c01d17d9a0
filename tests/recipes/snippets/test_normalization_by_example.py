"""The snippets of `recipes/normalization_by_example.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.recipes.script import Names, apply, convolutional, deep, digits_script, train


def assert_each_example_by_itself(script: Names) -> None:
    """An example's output is the same alone and in a batch, in training and in evaluation."""
    model, inputs = script["model"].train(), script["inputs"][:8]
    together = model(inputs)
    assert torch.allclose(together[:1], model(inputs[:1]), atol=1e-5)
    assert torch.allclose(together, model.eval()(inputs), atol=1e-5)


def test_layer_normalization() -> None:
    """Activations are normalized from the start, and a chain in which the signal vanished trains."""
    script = apply("layer-normalization", digits_script(deep(nn.ReLU, depth=2, scale=0.01), rate=0.3))
    assert script["model"][:2](script["inputs"]).std().item() == pytest.approx(1.0, abs=0.1)
    assert_each_example_by_itself(script)
    before = train(digits_script(deep(nn.ReLU, depth=2, scale=0.01), rate=0.3), 100)[-1]
    assert train(script, 100)[-1] < 0.5 * before


def test_group_normalization() -> None:
    """Batch normalization is replaced, in groups that divide the channels."""
    model = nn.Sequential(nn.Conv2d(1, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), nn.Flatten(), nn.Linear(432, 10))
    script = apply("group-normalization", digits_script(model, images=True))
    assert script["model"][1].num_groups == 4
    assert_each_example_by_itself(script)
    losses = train(script, 40)
    assert losses[-1] < 0.5 * losses[0]


def test_instance_normalization() -> None:
    """Twice the contrast changes nothing after the first normalized convolution."""
    script = apply("instance-normalization", digits_script(convolutional(), images=True))
    start, inputs = script["model"][:2], script["inputs"][:8]
    script["model"][0].bias.data.zero_()
    assert torch.allclose(start(inputs), start(2 * inputs), atol=1e-2)
    assert_each_example_by_itself(script)


def test_filter_response_normalization() -> None:
    """Each channel has a root mean square of 1 before its threshold, and batches of two train."""
    script = apply("filter-response-normalization", digits_script(convolutional(), images=True))
    with torch.no_grad():
        script["model"][1].threshold.fill_(-100)
    out = script["model"][:2](script["inputs"][:8])
    assert torch.allclose(out.square().mean(dim=(2, 3)), torch.tensor(1.0), atol=1e-2)
    with torch.no_grad():
        script["model"][1].threshold.zero_()
    assert_each_example_by_itself(script)
    script["inputs"], script["targets"] = script["inputs"][:2], script["targets"][:2]
    assert train(script, 30)[-1] < 0.1
