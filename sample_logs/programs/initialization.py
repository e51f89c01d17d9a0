"""Weights that training should not start from: too large, too small, or all the same."""

from __future__ import annotations

from functools import partial

from torch import nn
from torch.optim import SGD

from programs import Pair
from programs.gradients import centred
from programs.optimizer import Program, training


def relu_net(depth: int, gain: float) -> nn.Module:
    """Return `depth` layers of 64 ReLUs, with weights of `gain` times He's size before each."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        linear = nn.Linear(64, 64)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        linear.weight.data.mul_(gain)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(64, 10))


def constant_net() -> nn.Module:
    """Return two hidden layers in which all weights are 0.02."""
    net = relu_net(2, 1.0)
    for parameter in net.parameters():
        nn.init.constant_(parameter, 0.02 if parameter.dim() > 1 else 0.0)
    return net


PAIRS = (
    Pair(
        "exploding-activations",
        "eight layers with weights three times as large as He's",
        training(Program(data=centred, net=partial(relu_net, 8, 3.0), optimizer=partial(SGD, lr=0.01))),
        training(Program(data=centred, net=partial(relu_net, 8, 1.0), optimizer=partial(SGD, lr=0.01))),
    ),
    Pair(
        "symmetric-units",
        "all weights start at 0.02",
        training(Program(data=centred, net=constant_net)),
        training(Program(data=centred, net=partial(relu_net, 2, 1.0))),
    ),
    Pair(
        "unsuited-initialization",
        "two layers with weights of 1.0 x randn, six times as large as He's",
        training(Program(data=centred, net=partial(relu_net, 2, 64**0.5 / 2**0.5), optimizer=partial(SGD, lr=0.01))),
        training(Program(data=centred, net=partial(relu_net, 2, 1.0), optimizer=partial(SGD, lr=0.03))),
    ),
)
