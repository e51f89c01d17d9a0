"""Losses whose curve tells the illness: flat, stuck, spiking, swinging, late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from programs import DISK, Pair
from sklearn.datasets import load_digits, make_classification
from torch import Tensor, nn

import trainhealth

WIDTH = 64


@dataclass(frozen=True)
class Program:
    """A classifier on a small table of data; the defaults train well."""

    data: str = "digits"  # or "clusters" (generated)
    depth: int = 2
    activation: type[nn.Module] = nn.ReLU
    weight_std: float | None = None  # of the hidden weights; None: PyTorch's own initialisation
    optimizer: str = "SGD"  # with momentum 0.9, or "Adam"
    learning_rate: float = 0.02
    batch_size: int = 64
    epochs: int = 16
    mixed_up: bool = False  # inputs and labels are shuffled apart from each other, anew in every epoch
    broken_batches: tuple[int, ...] = ()  # steps whose inputs come unscaled, a hundred times too large
    loss_as_number: bool = False  # the log then does not say which loss it is
    seed: int = 0


def load(name: str) -> tuple[Tensor, Tensor]:
    """Return standardised inputs [N, D] and classes [N]."""
    if name == "digits":
        inputs, labels = load_digits(return_X_y=True)
    else:
        inputs, labels = make_classification(1200, 20, n_informative=10, n_classes=4, random_state=0)
    features = torch.as_tensor(inputs, dtype=torch.float32)
    return (features - features.mean(0)) / (features.std(0) + 1e-6), torch.as_tensor(labels)


def make_net(program: Program, inputs: int, classes: int) -> nn.Sequential:
    """Return fully connected layers with an activation between them."""
    layers: list[nn.Module] = []
    for width in [inputs, *[WIDTH] * (program.depth - 1)]:
        linear = nn.Linear(width, WIDTH)
        if program.weight_std is not None:
            nn.init.normal_(linear.weight, std=program.weight_std)
        layers += [linear, program.activation()]
    return nn.Sequential(*layers, nn.Linear(WIDTH, classes))


def make_optimizer(net: nn.Module, program: Program) -> torch.optim.Optimizer:
    """Return the program's optimizer."""
    if program.optimizer == "Adam":
        return torch.optim.Adam(net.parameters(), lr=program.learning_rate)
    return torch.optim.SGD(net.parameters(), lr=program.learning_rate, momentum=0.9)


def batches(inputs: Tensor, labels: Tensor, program: Program) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of an epoch."""
    order = torch.randperm(len(inputs))
    answers = torch.randperm(len(inputs)) if program.mixed_up else order
    yield from zip(
        torch.split(inputs[order], program.batch_size), torch.split(labels[answers], program.batch_size), strict=True
    )


def train(program: Program, folder: Path) -> None:
    """Train the program and log into `folder`: curves only, as most logs are."""
    torch.manual_seed(program.seed)
    torch.set_num_threads(1)
    inputs, labels = load(program.data)
    net = make_net(program, inputs.shape[1], int(labels.max()) + 1)
    optimizer = make_optimizer(net, program)
    step = 0
    with trainhealth.watch(net, optimizer, run_dir=folder, disk=DISK, probes=()) as watch:
        for _ in range(program.epochs):
            for batch, targets in batches(inputs, labels, program):
                outputs = net(batch * 100 if step in program.broken_batches else batch)
                loss = F.cross_entropy(outputs, targets)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                optimizer.step()
                watch.step(loss.item() if program.loss_as_number else loss)
                step += 1
            watch.epoch()


def pair(rule: str, what: str, sick: Program, healthy: Program) -> Pair:
    """Return both programs as a pair."""
    return Pair(rule, what, partial(train, sick), partial(train, healthy))


PAIRS = (
    pair(
        "flat-loss",
        "inputs and labels are shuffled apart from each other: there is nothing to learn",
        Program(mixed_up=True, loss_as_number=True),
        Program(loss_as_number=True),
    ),
)
