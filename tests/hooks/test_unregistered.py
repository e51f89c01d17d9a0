"""Layers in plain lists and dictionaries are found, and logged where a gradient reaches them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import trainhealth
from trainhealth.hooks.unregistered import unregistered_modules


class Holder(nn.Module):
    """A registered layer, and one that `hold` puts into something else."""

    def __init__(self, held: Any, *, learns: bool = True) -> None:
        super().__init__()
        self.out, self.held, self.learns = nn.Linear(4, 1), held, learns

    def forward(self, inputs: Tensor) -> Tensor:
        """Go through both."""
        layer = self.held[0] if 0 in self.held or not isinstance(self.held, dict) else self.held["a"]
        with torch.set_grad_enabled(self.learns):
            hidden = layer(inputs)
        return self.out(hidden)


def logged(model: nn.Module, folder: Path) -> list[str]:
    """Train four steps, and return the names of the parameters that are logged as trainable and not optimized."""
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with trainhealth.watch(model, optimizer, run_dir=folder / "run", overhead=1.0) as watch:
        for _ in range(4):
            optimizer.zero_grad()
            loss = model(torch.ones(3, 4)).mean()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    parameters = trainhealth.load(folder / "run").view.parameters
    return [p.name for p in parameters if not p.optimized]


@pytest.mark.parametrize(
    ("hold", "name"), [(list, "held[0]"), (tuple, "held[0]"), (lambda m: {"a": m[0]}, "held['a']")]
)
def test_a_layer_in_a_plain_container_is_logged(hold: Any, name: str, tmp_path: Path) -> None:
    """It gets gradients, and no optimizer holds it."""
    assert logged(Holder(hold([nn.Linear(4, 4)])), tmp_path) == [f"{name}.weight", f"{name}.bias"]


def test_registered_layers_are_not_taken_for_hidden_ones(tmp_path: Path) -> None:
    """A ModuleList, and a plain list of layers that are registered elsewhere, too."""
    model = Holder(nn.ModuleList([nn.Linear(4, 4)]))
    model.again = [model.out]
    assert unregistered_modules(model) == []
    assert logged(model, tmp_path) == []


def test_a_teacher_that_is_hidden_on_purpose_is_left_out(tmp_path: Path) -> None:
    """No gradient reaches what runs without one."""
    assert logged(Holder([nn.Linear(4, 4)], learns=False), tmp_path) == []
