"""Losses whose curve tells the illness: flat, stuck, spiking, swinging, late."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

import trainhealth
from programs import DISK, Pair

WIDTH = 64


CONSTANT = partial(LambdaLR, lr_lambda=lambda step: 1.0)


@dataclass(frozen=True)
class Program:
    """A classifier of scikit-learn's digits; the defaults train well."""

    depth: int = 2  # hidden layers
    activation: type[nn.Module] = nn.ReLU
    weight_std: float | None = None  # of the hidden weights; None: PyTorch's own initialisation
    optimizer: str = "SGD"  # with momentum 0.9, or "Adam"
    learning_rate: float = 0.02
    batch_size: int = 64
    epochs: int = 16
    mixed_up: bool = False  # inputs and labels are shuffled apart from each other, anew in every epoch
    broken_batches: tuple[int, ...] = ()  # steps whose inputs come unscaled, a hundred times too large
    loss_as_number: bool = False  # the log then does not say which loss it is, nor what is right
    scheduler: Callable[[Optimizer], LRScheduler] = CONSTANT  # stepped once a batch
    seed: int = 0


def load() -> tuple[Tensor, Tensor]:
    """Return the digits, inputs [N, 64] scaled to mean 0 and standard deviation 1, and their classes [N]."""
    images, labels = load_digits(return_X_y=True)
    inputs = torch.as_tensor(images, dtype=torch.float32)
    return (inputs - inputs.mean(0)) / (inputs.std(0) + 1e-6), torch.as_tensor(labels)


def make_net(program: Program, inputs: int, outputs: int) -> nn.Sequential:
    """Return fully connected layers with an activation between them."""
    layers: list[nn.Module] = []
    widths = [inputs, *[WIDTH] * program.depth]
    for before, after in pairwise(widths):
        linear = nn.Linear(before, after)
        if program.weight_std is not None:
            nn.init.normal_(linear.weight, std=program.weight_std)
        layers += [linear, program.activation()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], outputs))


def make_optimizer(net: nn.Module, program: Program) -> Optimizer:
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
    inputs, labels = load()
    net = make_net(program, inputs.shape[1], 10)
    optimizer = make_optimizer(net, program)
    scheduler = program.scheduler(optimizer)
    step = 0
    with trainhealth.watch(net, optimizer, run_dir=folder, disk=DISK, probes=()) as watch:
        for _ in range(program.epochs):
            for batch, targets in batches(inputs, labels, program):
                outputs = net(batch * 100 if step in program.broken_batches else batch)
                loss = F.cross_entropy(outputs, targets)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                optimizer.step()
                scheduler.step()
                known = {} if program.loss_as_number else {"outputs": outputs, "targets": targets}
                watch.step(loss.item() if program.loss_as_number else loss, **known)
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
    pair(
        "plateaued-loss",
        "Adam at a rate of 0.1 from start to end: it comes down to a certain height and no further",
        Program(depth=3, activation=nn.Tanh, optimizer="Adam", learning_rate=0.1, epochs=19),
        Program(depth=3, activation=nn.Tanh, optimizer="Adam", learning_rate=0.001, epochs=19),
    ),
    pair(
        "loss-spikes",
        "some batches come unscaled, with inputs a hundred times too large: each throws the weights off",
        Program(broken_batches=(120, 200, 280, 360)),
        Program(),
    ),
    pair(
        "oscillating-loss",
        "Adam at a rate of 0.2: the weights jump from one side of the valley to the other",
        Program(activation=nn.Tanh, optimizer="Adam", learning_rate=0.2, epochs=18),
        Program(activation=nn.Tanh, optimizer="Adam", learning_rate=0.001, epochs=18),
    ),
    pair(
        "late-start",
        "eight tanh layers with weights of standard deviation 0.05: the signal first has to grow",
        Program(depth=8, activation=nn.Tanh, weight_std=0.05, epochs=24),
        Program(depth=8, activation=nn.Tanh, weight_std=0.125, epochs=24),
    ),
)
