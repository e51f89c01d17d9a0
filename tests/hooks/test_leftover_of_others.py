"""Gradients that somebody else's backward leaves in the model, and that are zeroed in time, are no illness."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import trainhealth


@pytest.mark.parametrize("zeroed", [True, False])
def test_a_generators_backward_through_the_watched_critic(tmp_path: Path, zeroed: bool) -> None:
    """The critic's gradients of the generator's loss are dropped before its own backward; if not, they add up."""
    torch.manual_seed(0)
    critic, generator = nn.Linear(4, 1), nn.Linear(2, 4)
    own, other = torch.optim.SGD(critic.parameters(), lr=0.01), torch.optim.SGD(generator.parameters(), lr=0.01)
    with trainhealth.watch(critic, own, run_dir=tmp_path / "run") as watch:
        for _ in range(60):
            other.zero_grad()
            (-critic(generator(torch.randn(8, 2))).mean()).backward()
            other.step()
            if zeroed:
                own.zero_grad()
            loss = critic(torch.randn(8, 4)).square().mean()
            loss.backward()
            own.step()
            watch.step(loss)
    codes = {finding.code for finding in trainhealth.check(tmp_path / "run").findings}
    assert ("OP10" in codes) is not zeroed
