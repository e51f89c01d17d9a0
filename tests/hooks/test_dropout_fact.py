"""The strongest dropout of a model is one of the facts of its run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import trainhealth


def _plain() -> nn.Module:
    return nn.Linear(4, 3)


def _two_layers() -> nn.Module:
    return nn.Sequential(nn.Dropout(0.1), nn.Linear(4, 4), nn.AlphaDropout(0.7), nn.Linear(4, 3))


def _with_attention() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), nn.TransformerEncoderLayer(4, 2, 8, dropout=0.3), nn.Linear(4, 3))


@pytest.mark.parametrize(("make", "dropout"), [(_plain, 0.0), (_two_layers, 0.7), (_with_attention, 0.3)])
def test_the_log_says_how_strong_the_strongest_dropout_is(
    make: Callable[[], nn.Module], dropout: float, tmp_path: Path
) -> None:
    """Modules of all kinds count, those inside attention too; a model without any has 0."""
    model = make()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run") as watch:
        loss = F.cross_entropy(model(torch.randn(5, 4)), torch.tensor([0, 1, 2, 0, 1]))
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        watch.step(loss)
    assert trainhealth.load(tmp_path / "run").view.facts["dropout"] == dropout
