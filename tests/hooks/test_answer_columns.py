"""A table whose target was left among the features: which column it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import trainhealth
from trainhealth.hooks.answer_columns import column_of_answers

N = 32


@pytest.fixture
def table() -> Tensor:
    """Return [N, 5] random features."""
    return torch.randn(N, 5, generator=torch.Generator().manual_seed(0))


def test_a_column_counts_whatever_its_scale(table: Tensor) -> None:
    """The price itself, standardised, and in cents from another origin; as [N] and [N, 1]."""
    price = 200_000 + 50_000 * table[:, 3]
    assert column_of_answers(table, price) == {"answers_column": 3}
    assert column_of_answers(table, -100 * price.unsqueeze(1)) == {"answers_column": 3}


def test_a_good_feature_is_none(table: Tensor) -> None:
    """A thousandth of noise; a sum of two features; labels of classes; a few values only."""
    assert column_of_answers(table, table[:, 3] + 1e-3 * torch.randn(N)) == {}
    assert column_of_answers(table, table[:, 3] + 0.1 * table[:, 0]) == {}
    signs = table.sign()
    assert column_of_answers(signs, signs[:, 1]) == {}
    assert column_of_answers(signs, (signs[:, 1] > 0).long()) == {}


def test_tasks_of_another_kind_are_none(table: Tensor) -> None:
    """One feature alone, which is a line to be fitted; few examples; an autoencoder; a constant column and target."""
    assert column_of_answers(table[:, :1], 2 * table[:, 0] + 1) == {}
    assert column_of_answers(table[:8], table[:8, 3]) == {}
    assert column_of_answers(table, table) == {}
    assert column_of_answers(torch.ones(N, 2), torch.ones(N)) == {}


def test_the_first_step_tells_it(table: Tensor, tmp_path: Path) -> None:
    """The loss must be one of these outputs and targets."""
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path) as watch:
        outputs, targets = model(table), table[:, 2:3]
        loss = nn.functional.mse_loss(outputs, targets)
        loss.backward()
        optimizer.step()
        watch.step(loss, outputs=outputs, targets=targets)
    assert trainhealth.load(tmp_path).view.facts["answers_column"] == 2
