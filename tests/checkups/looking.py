"""What the tests of the checks share: small data with something to learn, and a checkup without a clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn

import trainhealth
from trainhealth.diagnosis import Report

torch.set_num_threads(1)  # the models are tiny: threads would only wait for each other


def table(batches: int = 12, size: int = 16, features: int = 12, classes: int = 3) -> list[tuple[Tensor, Tensor]]:
    """Batches of a classification that a linear model can learn."""
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(batches, size, features, generator=random)
    truth = torch.randn(features, classes, generator=random)
    return [(one, (one @ truth).argmax(1)) for one in inputs]


def images(batches: int = 6, size: int = 16) -> list[tuple[Tensor, Tensor]]:
    """Batches of images [1, 8, 8] whose class is the brightest quarter."""
    random = torch.Generator().manual_seed(1)
    found = []
    for _ in range(batches):
        inputs = torch.randn(size, 1, 8, 8, generator=random)
        quarters = F.avg_pool2d(inputs, 4).flatten(1)
        found.append((inputs, quarters.argmax(1)))
    return found


def sentences(batches: int = 6, size: int = 8, length: int = 12, words: int = 20) -> list[tuple[Tensor, Tensor]]:
    """Batches of tokens [N, T], each with the next tokens as target."""
    random = torch.Generator().manual_seed(2)
    drawn = torch.randint(0, words, (batches, size, length + 1), generator=random)
    return [(one[:, :-1].contiguous(), one[:, 1:].contiguous()) for one in drawn]


def mlp(features: int = 12, classes: int = 3, width: int = 24) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(features, width), nn.ReLU(), nn.Linear(width, classes))


def look(
    model: nn.Module,
    batches: Any,
    *only: str,
    loss_fn: Callable[..., Any] | None = F.cross_entropy,
    **options: Any,
) -> Report:
    """Return the report of the checks named, with as much time as they want."""
    return trainhealth.checkup(
        model, loss_fn, batches, only=only or None, seconds=3600.0, progress=False, **{"quick": True, **options}
    )


def codes(report: Report) -> list[str]:
    """The codes of the findings, sorted."""
    return sorted(finding.code for finding in report.findings)
