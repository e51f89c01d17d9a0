"""A likelihood whose variance is an output of the net, as it is or behind a function that keeps it positive."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn

import trainhealth
from programs import DISK, Pair

STEPS, BATCH = 32, 64


def train(positive: Callable[[Tensor], Tensor], folder: Path) -> None:
    """Train a net to give mean and variance of a noisy wave, and log into `folder`."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    with trainhealth.watch(net, optimizer, run_dir=folder, disk=DISK // 10, probes=("gradients", "updates")) as watch:
        for _ in range(STEPS):
            inputs = 3 * torch.randn(BATCH, 1)
            targets = torch.sin(inputs[:, 0]) + 0.2 * torch.randn(BATCH)
            mean, raw = net(inputs).unbind(1)
            variance = positive(raw + 1)
            loss = (torch.log(variance) + (targets - mean) ** 2 / variance).mean() / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)


PAIRS = (
    Pair(
        "undefined-loss",
        "the variance is an output as it is, which may be negative: so may be what the logarithm is of",
        partial(train, nn.Identity()),
        partial(train, F.softplus),
    ),
)
