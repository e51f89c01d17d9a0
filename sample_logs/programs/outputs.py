"""Activations and outputs that say little: off centre, all alike, squashed."""

from __future__ import annotations

from functools import partial

from torch import nn
from torch.optim import SGD

from programs import Pair
from programs.data import CLUSTERS, CURVE, net, training


def shifted(bias: float) -> nn.Module:
    """Return a net for the clusters with hidden biases that start at `bias`."""
    first, second = nn.Linear(20, 48), nn.Linear(48, 48)
    for layer in (first, second):
        nn.init.constant_(layer.bias, bias)
    nn.init.normal_(second.weight, std=0.05)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Linear(48, 4))


def ending_in_norm(inputs: int) -> nn.Module:
    """Return a net whose single output is normalised over itself: it is 0, whatever comes in."""
    return nn.Sequential(*net(inputs, 1), nn.LayerNorm(1))


def sigmoids(layers: int) -> nn.Module:
    """Return a net for the clusters with hidden layers of sigmoid units."""
    hidden = [part for i in range(layers) for part in (nn.Linear(20 if i == 0 else 48, 48), nn.Sigmoid())]
    return nn.Sequential(*hidden, nn.Linear(48, 4))


PAIRS = (
    Pair(
        "not-zero-centred-activations",
        "hidden biases that start at 10: the units of a layer give all inputs nearly the same",
        training(CLUSTERS, net=partial(shifted, 10.0), optimizer=partial(SGD, lr=1e-3)),
        training(CLUSTERS, net=partial(shifted, 0.0)),
    ),
    Pair(
        "collapsed-outputs",
        "the one output is normalised over itself, which makes it a constant",
        training(CURVE, net=partial(ending_in_norm, 10)),
        training(CURVE),
    ),
    Pair(
        "sigmoid-hidden-layers",
        "two hidden layers of sigmoid units, and plain SGD",
        training(CLUSTERS, net=partial(sigmoids, 2), optimizer=partial(SGD, lr=0.05)),
        training(CLUSTERS),
    ),
)
