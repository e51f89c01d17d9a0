"""Layers over sequences that go along the wrong axis."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn

import trainhealth
from programs import DISK, Pair

LENGTH, BATCH, STEPS = 7, 48, 16


class Walk(nn.Module):
    """Reads the steps of a walk, and says on which side of its start it was for longer."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.memory = nn.GRU(1, 16, batch_first=batch_first)
        self.head = nn.Linear(16, 2)

    def forward(self, walks: Tensor) -> Tensor:
        """Return the scores [N, 2] of walks [N, T, 1]."""
        states: Tensor = self.memory(walks)[0]
        scores: Tensor = self.head(states[:, -1])
        return scores


def walk(batch_first: bool, folder: Path) -> None:
    """Train on batches [N, T, 1], and log into `folder`."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    net = Walk(batch_first)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    with trainhealth.watch(net, optimizer, run_dir=folder, disk=DISK, probes=("modes",)) as watch:
        for _ in range(STEPS):
            steps = torch.randn(BATCH, LENGTH, 1)
            sides = (steps.cumsum(1).sign().sum((1, 2)) > 0).long()
            scores = net(steps)
            loss = F.cross_entropy(scores, sides)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            watch.step(loss, outputs=scores, targets=sides)


PAIRS = (
    Pair(
        "batch-and-time-swapped",
        "a GRU without batch_first gets batches [N, T, 1], and reads along the batch",
        partial(walk, False),
        partial(walk, True),
    ),
)
