"""The signal before the first update, and the initialisation that is recommended."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tests.checkups.looking import codes, look, table


def deep(factor: float, depth: int = 6, width: int = 48) -> nn.Sequential:
    """A ReLU net whose weights are `factor` times He's, its last layer torch's."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    features = 12
    for _ in range(depth):
        layer = nn.Linear(features, width)
        nn.init.normal_(layer.weight, 0.0, factor * math.sqrt(2 / features))
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.ReLU()]
        features = width
    return nn.Sequential(*layers, nn.Linear(width, 3))


def test_weights_that_suit_are_silent() -> None:
    """He's weights before ReLU."""
    assert codes(look(deep(1.0), table(), "initialization", quick=False)) == []


def test_small_weights_are_found() -> None:
    """A hundredth of He's size: the signal fades to nothing over six layers."""
    assert set(codes(look(deep(0.01), table(), "initialization", quick=False))) & {"IN01", "IN04"}


def test_large_weights_are_found() -> None:
    """Ten times He's size: the signal explodes."""
    assert set(codes(look(deep(10.0), table(), "initialization", quick=False))) & {"IN02", "IN04"}


def test_equal_units_are_found() -> None:
    """Constant weights give every unit of a layer the same."""
    model = deep(1.0, depth=2)
    for layer in (model[0], model[2], model[4]):
        nn.init.constant_(layer.weight, 0.1)
    assert "IN03" in codes(look(model, table(), "initialization", quick=False))


def test_the_recommended_weights_are_he_before_relu_and_xavier_before_tanh() -> None:
    """A row a layer that an activation function follows, with what suits its inputs."""
    model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 3))
    rows = look(model, table(), "initialization").advice["initialization"]
    assert [(row["parameter"], row["scheme"]) for row in rows] == [("0.weight", "he"), ("2.weight", "xavier")]
    assert rows[0]["recommended_std"] == pytest.approx(math.sqrt(2 / 12), rel=1e-3)
    assert rows[1]["recommended_std"] == pytest.approx(math.sqrt(1 / 32), rel=1e-3)


def test_the_picture_shows_the_signal_as_it_is_and_as_it_would_be() -> None:
    """With small weights the signal fades by orders of magnitude; with those recommended it keeps its size."""
    report = look(deep(0.1), table(), "initialization")
    series = next(figure.series for figure in report.figures if "activations" in figure.title)
    assert series["as it is"][-1] < 1e-3 * series["as it is"][0]
    assert 0.3 < series["recommended"][-1] / series["recommended"][0] < 3


def test_weights_that_suit_are_as_recommended() -> None:
    """Drawing them anew changes nothing but chance."""
    report = look(deep(1.0), table(), "initialization")
    series = next(figure.series for figure in report.figures if "activations" in figure.title)
    for drawn, recommended in zip(series["as it is"], series["recommended"], strict=True):
        assert recommended == pytest.approx(drawn, rel=0.5)
