"""Illnesses of the training loop: what stands between backward and the next step, and which optimizer takes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from sklearn.datasets import load_digits, make_classification, make_friedman1
from torch import Tensor, nn
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer

import trainhealth
from programs import DISK, Pair, Training

LIMIT = 0.5  # of gradient clipping, where a program clips


def digits() -> tuple[Tensor, Tensor]:
    """Return the digits' pixels between 0 and 1, float32 [1797, 64], and their classes."""
    inputs, labels = load_digits(return_X_y=True)
    return torch.as_tensor(inputs / 16, dtype=torch.float32), torch.as_tensor(labels)


def clusters(mean: float = 0.0) -> tuple[Tensor, Tensor]:
    """Return 2,000 standardised examples of four classes, moved so that all features have the same mean."""
    inputs, labels = make_classification(2000, 20, n_informative=10, n_classes=4, random_state=0)
    features = torch.as_tensor(inputs, dtype=torch.float32)
    return (features - features.mean(0)) / features.std(0) + mean, torch.as_tensor(labels)


def noisy_curve() -> tuple[Tensor, Tensor]:
    """Return a regression (Friedman 1991) of whose targets two fifths are noise."""
    inputs, targets = make_friedman1(2000, noise=4.0, random_state=0)
    answers = torch.as_tensor((targets - targets.mean()) / targets.std(), dtype=torch.float32)
    return torch.as_tensor(inputs * 2 - 1, dtype=torch.float32), answers[:, None]


def perceptron(inputs: int = 64, classes: int = 10) -> nn.Sequential:
    """Return two hidden layers of 64 ReLUs."""
    return nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, classes))


@dataclass(frozen=True)
class Program:
    """One way to train; the defaults train a perceptron on digits well."""

    data: Callable[[], tuple[Tensor, Tensor]] = digits
    net: Callable[[], nn.Module] = perceptron
    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer] = lambda weights: SGD(weights, lr=0.05, momentum=0.9)
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy
    batch_size: int = 64
    steps: int = 300
    zero: str = "before backward"  # or "after backward", "never"
    clip: str = "never"  # or "before update", "after update"
    limit: float = LIMIT
    change: Callable[[nn.Module], None] | None = None  # what is done to the model after the optimizer was made
    overhead: float = 0.1


def train(program: Program, folder: Path) -> None:
    """Train the program and log into `folder`."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    inputs, targets = program.data()
    net = program.net()
    optimizer = program.optimizer(net.parameters())
    if program.change:
        program.change(net)
    told = {"max_grad_norm": program.limit} if program.clip != "never" else None
    with trainhealth.watch(
        net, optimizer, run_dir=folder, disk=DISK, overhead=program.overhead, hyperparameters=told
    ) as watch:
        for _ in range(program.steps):
            chosen = torch.randint(len(inputs), (program.batch_size,))
            outputs = net(inputs[chosen])
            loss = program.loss(outputs, targets[chosen])
            if program.zero == "before backward":
                optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            if program.zero == "after backward":
                optimizer.zero_grad()
            if program.clip == "before update":
                nn.utils.clip_grad_norm_(net.parameters(), program.limit)
            optimizer.step()
            if program.clip == "after update":
                nn.utils.clip_grad_norm_(net.parameters(), program.limit)
            watch.step(loss, outputs=outputs, targets=targets[chosen])


def training(program: Program) -> Training:
    """Return what a pair is made of."""
    return partial(train, program)


def replace_head(net: nn.Module) -> None:
    """Give the model a new last layer, as fine-tuning does."""
    assert isinstance(net, nn.Sequential)
    net[-1] = nn.Linear(64, 10)


def bottleneck(scale: float) -> nn.Module:
    """Return a net whose first layer, before batch normalisation, has weights `scale` times as large as usual.

    Normalisation makes the scale invisible to the outputs; the gradient shrinks in proportion to it.
    """
    net = nn.Sequential(nn.Linear(64, 2), nn.BatchNorm1d(2), nn.Tanh(), nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 10))
    with torch.no_grad():
        next(net.parameters()).mul_(scale)
    return net


PAIRS = (
    Pair(
        "unbalanced-updates",
        "the weights of the first layer are a thousand times too large before batch normalisation, and hardly move",
        training(Program(net=partial(bottleneck, 1000.0), steps=400)),
        training(Program(net=partial(bottleneck, 1.0), steps=400)),
    ),
    Pair(
        "zigzag-updates",
        "inputs of mean 3 make a ravine, and plain SGD crosses it to and fro at a rate of 0.09",
        training(
            Program(
                data=partial(clusters, 3.0),
                net=partial(nn.Linear, 20, 4),
                optimizer=partial(SGD, lr=0.09),
                batch_size=2000,
                steps=400,
                overhead=0.5,
            )
        ),
        training(Program(data=clusters, net=partial(perceptron, 20, 4), optimizer=partial(SGD, lr=0.09), steps=400)),
    ),
    Pair(
        "stalled-adagrad",
        "AdaGrad with an lr_decay of 2 on top of its sum of squares: its steps decay to nothing",
        training(Program(optimizer=partial(Adagrad, lr=0.005, lr_decay=2.0), steps=400)),
        training(Program(optimizer=partial(Adagrad, lr=0.01), steps=400)),
    ),
    Pair(
        "l2-in-adaptive-optimizer",
        "Adam has a weight_decay of 0.01",
        training(Program(optimizer=partial(Adam, lr=1e-3, weight_decay=0.01))),
        training(Program(optimizer=partial(AdamW, lr=1e-3, weight_decay=0.01))),
    ),
    Pair(
        "frozen-parameters",
        "the last layer was replaced after the optimizer was made, and never moves",
        training(Program(change=replace_head)),
        training(Program()),
    ),
    Pair(
        "accumulating-gradients",
        "gradients are never zeroed",
        training(Program(optimizer=partial(SGD, lr=0.05), zero="never")),
        training(Program(optimizer=partial(SGD, lr=0.3))),
    ),
    Pair(
        "always-clipped-gradients",
        "the gradient is clipped at a norm of 0.02 in every step, and a rate of 3 makes up for it",
        training(
            Program(
                data=noisy_curve,
                net=partial(perceptron, 10, 1),
                loss=F.mse_loss,
                optimizer=partial(SGD, lr=1.0),
                clip="before update",
                limit=0.02,
                batch_size=32,
                overhead=0.5,
            )
        ),
        training(
            Program(
                data=noisy_curve,
                net=partial(perceptron, 10, 1),
                loss=F.mse_loss,
                optimizer=partial(SGD, lr=0.05),
                clip="before update",
                limit=5.0,
                batch_size=32,
            )
        ),
    ),
    Pair(
        "noisy-gradients",
        "batches of one example at a rate of 0.2",
        training(Program(data=clusters, net=partial(perceptron, 20, 4), optimizer=partial(SGD, lr=0.2), batch_size=1)),
        training(Program(data=clusters, net=partial(perceptron, 20, 4), optimizer=partial(SGD, lr=0.2))),
    ),
    Pair(
        "missing-step",
        "zero_grad is called between backward and step",
        training(Program(zero="after backward")),
        training(Program()),
    ),
    Pair(
        "ineffective-clipping",
        "the gradient is clipped after the update, where it is too late",
        training(Program(clip="after update")),
        training(Program(clip="before update")),
    ),
)
