"""Data that are not as they should be: inputs, labels, their order, their scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_classification, make_friedman1
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

import trainhealth
from programs import DISK, Pair, Training

Table: TypeAlias = tuple[Tensor, Tensor]  # inputs and targets


@dataclass(frozen=True)
class Program:
    """A small net on a small table of data; the last fifth of the examples is kept for validation."""

    data: Callable[[], Table]
    net: Callable[[], nn.Module]
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy
    optimizer: Callable[..., Optimizer] = Adam
    batch_size: int = 32
    epochs: int = 6
    shuffled: bool = True
    evaluated: bool = False
    before_epoch: Callable[[nn.Module], object] = nn.Module.train
    before_evaluation: Callable[[nn.Module], object] = nn.Module.eval
    validation_scale: float = 1.0  # what validation inputs, and only they, are multiplied with


def run(program: Program, run_dir: Path) -> None:
    """Train the program, and log into `run_dir`."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    inputs, targets = program.data()
    held = len(inputs) // 5
    net = program.net()
    optimizer = program.optimizer(net.parameters())
    with trainhealth.watch(net, optimizer, run_dir=run_dir, disk=DISK) as watch:
        for _ in range(program.epochs):
            program.before_epoch(net)
            count = len(inputs) - held
            order = torch.randperm(count) if program.shuffled else torch.arange(count)
            for chosen in torch.split(order, program.batch_size):
                outputs = net(inputs[chosen])
                loss = program.loss(outputs, targets[chosen])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                optimizer.step()
                watch.step(loss, outputs=outputs, targets=targets[chosen])
            if program.evaluated:
                program.before_evaluation(net)
                with torch.no_grad():
                    outputs = net(inputs[-held:] * program.validation_scale)
                watch.epoch(validation_loss=float(program.loss(outputs, targets[-held:])))


def training(program: Program, **changes: Any) -> Training:
    """Return the training of `program`, with some of its settings changed."""
    return partial(run, replace(program, **changes))


def net(inputs: int, outputs: int) -> nn.Sequential:
    """Return a net with two hidden layers."""
    hidden = [nn.Linear(inputs, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU()]
    return nn.Sequential(*hidden, nn.Linear(48, outputs))


def shuffled(inputs: object, targets: object, *, dtype: torch.dtype | None = None) -> Table:
    """Return the table as tensors, its rows in one random order."""
    rows, wanted = torch.as_tensor(inputs, dtype=torch.float32), torch.as_tensor(targets, dtype=dtype)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    return rows[order], wanted[order]


def standardised(table: Table) -> Table:
    """Return the table with inputs of mean 0 and standard deviation 1."""
    inputs, targets = table
    return (inputs - inputs.mean(0)) / (inputs.std(0) + 1e-6), targets


def digits() -> Table:
    """Return handwritten digits in [0, 1]."""
    inputs, targets = shuffled(*load_digits(return_X_y=True))
    return inputs / 16, targets


def sorted_digits() -> Table:
    """Return the digits in order of their class."""
    inputs, targets = digits()
    order = targets.argsort(stable=True)
    return inputs[order], targets[order]


def wine() -> Table:
    """Return wines, standardised."""
    return standardised(raw_wine())


def raw_wine() -> Table:
    """Return wines in the units in which they were measured."""
    return shuffled(*load_wine(return_X_y=True))


def cancer() -> Table:
    """Return tumours, standardised, with targets of 0.0 and 1.0 in a column."""
    inputs, targets = standardised(shuffled(*load_breast_cancer(return_X_y=True), dtype=torch.float32))
    return inputs, targets.unsqueeze(1)


def clusters(offset: float = 0.0, constant: int = 0) -> Table:
    """Return four clusters in twenty dimensions; the first `constant` features are all -1."""
    parts = {"n_samples": 1500, "n_features": 20, "n_informative": 8, "n_classes": 4, "class_sep": 2.0}
    inputs, targets = standardised(shuffled(*make_classification(**parts, random_state=0)))
    inputs = inputs + offset
    inputs[:, :constant] = -1.0
    return inputs, targets


def rare(separation: float) -> Table:
    """Return two clusters, one of them with a twentieth of the examples."""
    parts = {"n_samples": 3000, "n_features": 15, "n_informative": 8, "weights": [0.95], "flip_y": 0.0}
    return standardised(shuffled(*make_classification(**parts, class_sep=separation, random_state=3)))


def curve(mean: float = 0.0, scale: float = 1.0) -> Table:
    """Return Friedman's regression, its targets in a column with this mean and standard deviation."""
    inputs, targets = standardised(shuffled(*make_friedman1(2000, 10, noise=0.3, random_state=0), dtype=torch.float32))
    return inputs, (targets.unsqueeze(1) - targets.mean()) / targets.std() * scale + mean


def relabelled(data: Callable[[], Table], factor: float, offset: float) -> Table:
    """Return the table with targets of `factor` times what they were, plus `offset`."""
    inputs, targets = data()
    return inputs, (targets * factor + offset).to(targets.dtype)


CLUSTERS = Program(clusters, partial(net, 20, 4), epochs=8)
WINE = Program(wine, partial(net, 13, 3), optimizer=partial(Adam, lr=5e-3), batch_size=16, epochs=25)
DIGITS = Program(digits, partial(net, 64, 10), epochs=6)
CANCER = Program(cancer, partial(net, 30, 1), F.binary_cross_entropy_with_logits, epochs=12)
CURVE = Program(curve, partial(net, 10, 1), F.mse_loss, epochs=8)
RARE = Program(partial(rare, 2.0), partial(net, 15, 2), optimizer=partial(SGD, lr=0.1, momentum=0.9), epochs=3)

PAIRS = (
    Pair(
        "uncentred-inputs",
        "all features are 6 standard deviations away from zero",
        training(CLUSTERS, data=partial(clusters, 6.0)),
        training(CLUSTERS),
    ),
    Pair(
        "unscaled-features",
        "the measures of wines in their units, from 0.1 to 1,700",
        training(WINE, data=raw_wine),
        training(WINE),
    ),
    Pair(
        "constant-features",
        "twelve of twenty columns were filled with -1",
        training(CLUSTERS, data=partial(clusters, constant=12)),
        training(CLUSTERS),
    ),
    Pair(
        "imbalanced-labels",
        "one example in twenty is of the second class, which at this rate is never said",
        training(RARE, data=partial(rare, 0.3), optimizer=partial(SGD, lr=0.01), batch_size=64, epochs=8),
        training(RARE),
    ),
    Pair(
        "unshuffled-batches",
        "the digits come in order of their class, and no batch is shuffled",
        training(DIGITS, data=sorted_digits, shuffled=False),
        training(DIGITS),
    ),
    Pair(
        "train-validation-mismatch",
        "pixels are in [0, 1] in training and up to 16 in validation",
        training(DIGITS, evaluated=True, validation_scale=16.0),
        training(DIGITS, evaluated=True, epochs=9),
    ),
    Pair(
        "degenerate-targets",
        "the column with the labels was mistaken for one in which all are 2",
        training(WINE, data=partial(relabelled, wine, 0.0, 2.0)),
        training(WINE),
    ),
    Pair(
        "unscaled-targets",
        "targets around 1,000 for a net whose outputs begin around 0",
        training(CURVE, data=partial(curve, 1000.0, 50.0)),
        training(CURVE),
    ),
    Pair(
        "out-of-range-targets",
        "the classes are called 1 and 2, and the loss expects 0 and 1",
        training(CANCER, data=partial(relabelled, cancer, 1.0, 1.0)),
        training(CANCER),
    ),
)
