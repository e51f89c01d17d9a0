"""Illnesses of a loop that `trainhealth run` sees: what is made, drawn or stepped anew and too often, or evaluated."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn

import trainhealth
from programs import DISK, Pair
from trainhealth.hooks.script import Script

BATCHES, BATCH = 20, 128  # of an epoch, examples of a batch


@dataclass(frozen=True)
class Program:
    """A net with one hidden layer that learns a smooth function with noise; the defaults train well."""

    epochs: int = 5
    made_each_step: bool = False  # the optimizer
    drawn_each_epoch: bool = False  # the weights
    copy_is_evaluated: bool = False  # one that was made before training
    swing: int | None = None  # calls of the scheduler after which its cosine is at the lowest rate; None: none


def draw(inputs: Tensor) -> Tensor:
    """Return targets [N, 1] for inputs [N, 8]: a function that one hidden layer learns, with a little noise."""
    return torch.tanh(inputs[:, :1] + inputs[:, 1:2]) + 0.3 * inputs[:, 2:3] + 0.2 * torch.randn(len(inputs), 1)


def observe(program: Program, folder: Path) -> None:
    """Train the program as a script that knows of nothing, and log into `folder`."""

    def begin(models: Mapping[str, nn.Module], optimizers: Mapping[str, torch.optim.Optimizer]) -> trainhealth.Watch:
        return trainhealth.watch(models, optimizers, run_dir=folder, disk=DISK // 6, probes=("updates",))

    script = Script(begin)
    try:
        train(program)
    finally:
        script.end(None)


def train(program: Program) -> None:
    """Train the program."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
    evaluated = copy.deepcopy(net) if program.copy_is_evaluated else net
    held_out = torch.randn(256, 8)
    answers = draw(held_out)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=program.swing) if program.swing else None
    for _ in range(program.epochs):
        if program.drawn_each_epoch:
            net.apply(lambda part: part.reset_parameters() if isinstance(part, nn.Linear) else None)
        for _ in range(BATCHES):
            inputs = torch.randn(BATCH, 8)
            if program.made_each_step:
                optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
            optimizer.zero_grad()
            F.mse_loss(net(inputs), draw(inputs)).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            if scheduler:
                scheduler.step()
        with torch.no_grad():
            F.mse_loss(evaluated(held_out), answers)


PAIRS = (
    Pair(
        "optimizer-made-anew",
        "Adam is made inside of the loop over batches",
        partial(observe, Program(made_each_step=True)),
        partial(observe, Program()),
    ),
    Pair(
        "cycling-learning-rate",
        "the cosine counts epochs, and is stepped for each batch",
        partial(observe, Program(epochs=8, swing=8)),
        partial(observe, Program(epochs=8, swing=8 * BATCHES)),
    ),
    Pair(
        "weights-made-anew",
        "the weights are drawn at the beginning of each epoch",
        partial(observe, Program(drawn_each_epoch=True)),
        partial(observe, Program()),
    ),
    Pair(
        "frozen-evaluation",
        "a copy of the untrained net is evaluated",
        partial(observe, Program(copy_is_evaluated=True)),
        partial(observe, Program()),
    ),
)
