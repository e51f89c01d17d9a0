"""Illnesses of the process that trains: time that is lost, a run that was resumed, several ranks and clients."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from sklearn.datasets import load_digits
from torch import Tensor, nn

import trainhealth
from programs import DISK, Pair

BATCH = 32


@dataclass(frozen=True)
class Program:
    """A net with one hidden layer that learns scikit-learn's digits in one process; the defaults train well."""

    steps: int = 300
    loading: float = 0.0  # seconds that it takes to load a batch
    hangs: float = 0.0  # seconds that the process hangs once, in the middle
    resumed: bool = False  # a second process goes on in the middle, with the optimizer's state
    forgets_weights: bool = False  # … and with new weights
    disk: int = DISK // 6  # bytes: the curves tell enough


@dataclass(frozen=True)
class Fleet:
    """The same net on several ranks, all with the same weights at first; the defaults train as one model."""

    ranks: int = 3
    steps: int = 200
    learning_rate: float = 0.1
    averaged_every: int | None = 1  # steps; None: never. Every step means that gradients are averaged
    disk: int = DISK // 3  # bytes a rank
    by_class: bool = False  # each rank has its own digits, instead of a share of all
    seed: int = 0


def load() -> tuple[Tensor, Tensor]:
    """Return images [1797, 64] scaled to [0, 1] in random order, and their labels."""
    table, answers = load_digits(return_X_y=True)
    order = torch.randperm(len(answers), generator=torch.Generator().manual_seed(0))
    return torch.as_tensor(table, dtype=torch.float32)[order] / 16, torch.as_tensor(answers)[order]


def make_net() -> nn.Module:
    """Return a net with one hidden layer."""
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def make_optimizer(net: nn.Module, learning_rate: float = 0.05) -> torch.optim.SGD:
    """Return stochastic gradient descent."""
    return torch.optim.SGD(net.parameters(), lr=learning_rate)


# --- one process ---


def train(program: Program, folder: Path) -> None:
    """Train the program and log into `folder`."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    net = make_net()
    optimizer = make_optimizer(net)
    middle = program.steps // 2
    with trainhealth.watch(net, optimizer, run_dir=folder, disk=program.disk) as watch:
        train_steps(net, optimizer, watch, range(middle if program.resumed else program.steps), program)
    if not program.resumed:
        return
    weights, state = net.state_dict(), optimizer.state_dict()
    net = make_net()
    if not program.forgets_weights:
        net.load_state_dict(weights)
    optimizer = make_optimizer(net)
    optimizer.load_state_dict(state)
    with trainhealth.watch(net, optimizer, run_dir=folder, disk=program.disk, resume=True) as watch:
        train_steps(net, optimizer, watch, range(middle, program.steps), program)


def train_steps(
    net: nn.Module, optimizer: torch.optim.SGD, watch: trainhealth.Watch, steps: Sequence[int], program: Program
) -> None:
    """Train these steps."""
    inputs, labels = load()
    for step in steps:
        chosen = torch.randint(len(labels), (BATCH,))
        time.sleep(program.loading + (program.hangs if step == program.steps // 2 else 0.0))
        loss = F.cross_entropy(net(inputs[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        watch.step(loss)


# --- several ranks, step by step in one process ---


def train_fleet(fleet: Fleet, folder: Path) -> None:
    """Train the fleet and log into `folder`, a file a rank."""
    torch.manual_seed(fleet.seed)
    torch.set_num_threads(1)
    inputs, labels = load()
    groups = labels * fleet.ranks // 10 if fleet.by_class else torch.arange(len(labels)) % fleet.ranks
    shares = [torch.nonzero(groups == rank).flatten() for rank in range(fleet.ranks)]
    first = make_net()
    nets = [copy.deepcopy(first) for _ in shares]
    optimizers = [make_optimizer(net, fleet.learning_rate) for net in nets]
    watches = []
    for rank, (net, optimizer) in enumerate(zip(nets, optimizers, strict=True)):
        with launched(rank, fleet.ranks):
            watches.append(
                trainhealth.watch(
                    net, optimizer, run_dir=folder, overhead=1.0, disk=fleet.disk, probes=("updates", "weights")
                )
            )
    for step in range(1, fleet.steps + 1):
        losses = []
        for net, optimizer, share in zip(nets, optimizers, shares, strict=True):
            chosen = share[torch.randint(len(share), (BATCH,))]
            losses.append(F.cross_entropy(net(inputs[chosen]), labels[chosen]))
            optimizer.zero_grad()
            losses[-1].backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        if fleet.averaged_every == 1:
            average([[p.grad for p in net.parameters() if p.grad is not None] for net in nets])
        for optimizer, watch, loss in zip(optimizers, watches, losses, strict=True):
            optimizer.step()
            watch.step(loss)
        if fleet.averaged_every is not None and step % fleet.averaged_every == 0:
            average([[p.data for p in net.parameters()] for net in nets])
    for watch in watches:
        watch.close()


@contextmanager
def launched(rank: int, ranks: int) -> Iterator[None]:
    """Tell `watch` its rank as a launcher does: by the environment."""
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(ranks))
    try:
        yield
    finally:
        del os.environ["RANK"], os.environ["WORLD_SIZE"]


def average(parts: Sequence[Sequence[Tensor]]) -> None:
    """Put the mean over ranks into each of their tensors."""
    for tensors in zip(*parts, strict=True):
        mean = torch.stack(tensors).mean(0)
        for tensor in tensors:
            tensor.copy_(mean)


PAIRS = (
    Pair(
        "stalled-run",
        "in the middle the process hangs for 70 seconds",
        partial(train, Program(hangs=70.0)),
        partial(train, Program()),
    ),
    Pair(
        "slow-data-loading",
        "it takes 120 ms to load a batch, and a millisecond to learn it",
        partial(train, Program(loading=0.12, disk=DISK)),
        partial(train, Program()),
    ),
    Pair(
        "resumed-with-jump",
        "the second process goes on with the first one's optimizer and new weights",
        partial(train, Program(resumed=True, forgets_weights=True)),
        partial(train, Program(resumed=True)),
    ),
    Pair(
        "rank-desync",
        "three ranks never average their gradients",
        partial(train_fleet, Fleet(averaged_every=None)),
        partial(train_fleet, Fleet()),
    ),
    Pair(
        "client-drift",
        "three clients with other digits each train twenty steps between two averagings",
        partial(train_fleet, Fleet(steps=300, learning_rate=0.05, averaged_every=20, by_class=True, disk=DISK)),
        partial(train_fleet, Fleet(steps=300, learning_rate=0.05, averaged_every=20, disk=DISK)),
    ),
)
