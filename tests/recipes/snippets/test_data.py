"""The snippets of `recipes/data.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from tests.recipes.script import (
    apply,
    backward,
    convolutional,
    diabetes_script,
    digits_script,
    few_examples,
    gap,
    paste,
    train,
)


def test_standardize_inputs() -> None:
    """The training inputs have mean 0 and standard deviation 1; validation got the same numbers."""
    script = digits_script()
    raw, raw_validation = script["inputs"].clone(), script["validation_inputs"].clone()
    apply("standardize-inputs", script)
    varied = raw.std(dim=0) > 0
    assert script["inputs"][:, varied].mean(dim=0).abs().max() < 1e-5
    assert torch.allclose(script["inputs"][:, varied].std(dim=0), torch.tensor(1.0), atol=1e-4)
    column = int(varied.nonzero()[0])
    same = (raw_validation[:, column] - raw[:, column].mean()) / raw[:, column].std()
    assert torch.allclose(script["validation_inputs"][:, column], same, atol=1e-5)


def test_scale_targets() -> None:
    """The initial mean squared error is about 1, and predictions come back in the unit of the data."""
    script = diabetes_script(nn.Flatten(0))
    mean = script["targets"].mean().item()
    assert backward(script) > 10_000
    apply("scale-targets", script)
    assert 0.5 < backward(script) < 2
    assert train(script, 100)[-1] < 0.6
    assert script["predict"](script["inputs"]).mean().item() == pytest.approx(mean, rel=0.1)


def test_data_augmentation() -> None:
    """Images keep their shape and differ each time; the validation split is left alone."""
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 10))
    script = digits_script(model, images=True)
    validation = script["validation_inputs"].clone()
    apply("data-augmentation", script)
    first, second = script["augmented"](script["inputs"]), script["augmented"](script["inputs"])
    assert first.shape == script["inputs"].shape
    assert not torch.equal(first, second)
    assert torch.equal(script["validation_inputs"], validation)


def test_data_augmentation_narrows_the_gap() -> None:
    """Of a convolutional model that learns sixty images by heart."""
    plain = few_examples(convolutional(), images=True)
    script = few_examples(copy.deepcopy(plain["model"]), images=True)
    train(plain, 300)
    for _ in range(60):  # five steps each
        paste("data-augmentation", script)
    assert gap(script) < 0.8 * gap(plain)
