"""A layer that is made in `forward` is found out; layers that live on are not."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

import trainhealth


class MadeAnew(nn.Module):
    """Its head is another one at every call."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(4, 8)

    def forward(self, inputs: Tensor) -> Tensor:
        result: Tensor = nn.Linear(8, 2)(self.body(inputs))
        return result


class Elsewhere(nn.Module):
    """Its head stands in a plain list, and a function holds a weight of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(4, 8)
        self.heads = [nn.Linear(8, 2)]
        self.weight = [torch.ones(2, 2, requires_grad=True)]

    def forward(self, inputs: Tensor) -> Tensor:
        return nn.functional.linear(self.heads[0](self.body(inputs)), self.weight[0])


def facts_of(model: nn.Module, folder: Path) -> object:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with trainhealth.watch(model, optimizer, run_dir=folder) as watch:
        for _ in range(4):
            loss = model(torch.randn(16, 4)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    return trainhealth.load(folder).view.facts.get("made_anew")


def test_a_layer_that_is_made_in_forward_is_a_fact(tmp_path: Path) -> None:
    """Its weights are new each time, and the ones before are gone; the rule names it."""
    assert facts_of(MadeAnew(), tmp_path / "run") == [[2, 8]]
    lead = trainhealth.check(tmp_path / "run").findings[0]
    assert (lead.code, lead.name) == ("OP09", "frozen-parameters")
    assert "Every forward makes 1 layer anew, with weights of 2 x 8" in lead.message


def test_layers_that_live_on_are_none(tmp_path: Path) -> None:
    """Neither those in plain lists (they are reported otherwise), nor a weight that a function keeps."""
    assert facts_of(Elsewhere(), tmp_path / "run") is None
