"""Modes that were forgotten, and losses that don't fit what enters them."""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn

from programs import Pair
from programs.data import CANCER, CLUSTERS, CURVE, DIGITS, Program, Table, clusters, curve, net, training


def ending_in(activation: nn.Module, inputs: int, outputs: int) -> nn.Module:
    """Return a net with two hidden layers, and `activation` after its last."""
    return nn.Sequential(*net(inputs, outputs), activation)


def dropping(share: float) -> nn.Module:
    """Return a net for the digits with dropout behind its hidden layers."""
    hidden = [nn.Linear(64, 96), nn.ReLU(), nn.Dropout(share), nn.Linear(96, 48), nn.ReLU(), nn.Dropout(share)]
    return nn.Sequential(*hidden, nn.Linear(48, 10))


def normalised(momentum: float) -> nn.Module:
    """Return a net for the clusters with batch norm of this momentum."""
    hidden = [nn.Linear(20, 48), nn.BatchNorm1d(48, momentum=momentum), nn.ReLU()]
    return nn.Sequential(*hidden, nn.Linear(48, 4))


def without_functions() -> nn.Module:
    """Return four linear layers in a row."""
    return nn.Sequential(nn.Linear(20, 48), nn.Linear(48, 48), nn.Linear(48, 48), nn.Linear(48, 4))


def flat_targets() -> Table:
    """Return the regression with targets of shape [N], not [N, 1]."""
    inputs, targets = curve()
    return inputs, targets.squeeze(1)


def squeezed(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the squared error of predictions [N, 1] and targets [N]."""
    return F.mse_loss(outputs.squeeze(1), targets)


def one_hot() -> Table:
    """Return the clusters with targets [N, 4], a one among zeros."""
    inputs, targets = clusters()
    return inputs, F.one_hot(targets, 4).float()


def stay(model: nn.Module) -> None:
    """Leave the model in the mode that it is in."""


DROPPING = Program(DIGITS.data, partial(dropping, 0.2), epochs=9, evaluated=True)

PAIRS = (
    Pair(
        "evaluating-in-train-mode",
        "model.eval() is missing before the evaluation of a net with dropout",
        training(DROPPING, before_evaluation=stay),
        training(DROPPING),
    ),
    Pair(
        "training-in-eval-mode",
        "model.train() is missing after the first evaluation",
        training(DROPPING, before_epoch=stay),
        training(DROPPING),
    ),
    Pair(
        "batchnorm-mismatch",
        "batch norm has a momentum of 0.001: its running statistics do not follow",
        training(CLUSTERS, data=partial(clusters, 4.0), net=partial(normalised, 0.001)),
        training(CLUSTERS, data=partial(clusters, 4.0), net=partial(normalised, 0.1)),
    ),
    Pair(
        "softmax-before-cross-entropy",
        "the model ends in a softmax, and the loss applies another one",
        training(DIGITS, net=partial(ending_in, nn.Softmax(1), 64, 10)),
        training(DIGITS),
    ),
    Pair(
        "sigmoid-before-bce-with-logits",
        "the model ends in a sigmoid, and the loss applies another one",
        training(CANCER, net=partial(ending_in, nn.Sigmoid(), 30, 1)),
        training(CANCER),
    ),
    Pair(
        "relu-before-loss",
        "the model ends in a ReLU, and the loss takes scores of either sign",
        training(CLUSTERS, net=partial(ending_in, nn.ReLU(), 20, 4), epochs=4),
        training(CLUSTERS, epochs=4),
    ),
    Pair(
        "broadcast-loss",
        "predictions of shape [N, 1] and targets of shape [N]",
        training(CURVE, data=flat_targets),
        training(CURVE, data=flat_targets, loss=squeezed),
    ),
    Pair(
        "unsuited-output-activation",
        "a sigmoid gives the predictions of a regression whose targets are standardised",
        training(CURVE, net=partial(ending_in, nn.Sigmoid(), 10, 1), epochs=4),
        training(CURVE, epochs=4),
    ),
    Pair(
        "unsuited-loss",
        "a squared error between probabilities and one-hot classes",
        training(CLUSTERS, data=one_hot, net=partial(ending_in, nn.Softmax(1), 20, 4), loss=F.mse_loss),
        training(CLUSTERS),
    ),
    Pair(
        "missing-nonlinearity",
        "four linear layers with no activation function between them",
        training(CLUSTERS, net=without_functions),
        training(CLUSTERS),
    ),
)
