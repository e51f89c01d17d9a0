"""The gain of a plain recurrent layer is its spectral radius to the power of the sequence's length."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

import trainhealth
from trainhealth.hooks.probes.recurrence import spectral_radius


@pytest.mark.parametrize("size", [1, 8, 64])
def test_the_spectral_radius_is_the_largest_eigenvalue(size: int) -> None:
    """Also where the largest ones are a complex pair, which makes single rounds swing."""
    for seed in range(5):
        matrix = torch.randn(size, size, generator=torch.Generator().manual_seed(seed)) / math.sqrt(size)
        expected = float(torch.linalg.eigvals(matrix).abs().max())
        assert float(spectral_radius(matrix)) == pytest.approx(expected, rel=0.1)


def test_a_matrix_of_zeros_has_none() -> None:
    """Recurrent weights that begin at zero: the gain is as good as nothing, and no NaN."""
    assert 0 <= float(spectral_radius(torch.zeros(4, 4))) < 1e-30


@pytest.mark.parametrize("batch_first", [True, False])
def test_the_gain_is_in_powers_of_ten_over_the_sequence(tmp_path: Path, batch_first: bool) -> None:
    """Twenty steps of 0.1 leave 1e-20, whichever axis is time; gated layers are left out."""
    model = nn.Sequential(nn.RNN(3, 5, batch_first=batch_first))
    with torch.no_grad():
        model[0].weight_hh_l0.copy_(0.1 * torch.eye(5))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run") as watch:
        loss = model(torch.randn(4, 20, 3) if batch_first else torch.randn(20, 4, 3))[0].square().mean()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    columns = trainhealth.load(tmp_path / "run").view.columns("recurrent_gain")
    assert columns.places == ("0",)
    assert columns.values[0, 0] == pytest.approx(-20, rel=1e-3)
