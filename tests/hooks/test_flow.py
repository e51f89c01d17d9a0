"""What feeds a layer: the layout says it where the output of one place, and nothing else, is the layer's input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import trainhealth


class Parts(nn.Module):
    """Three layers of eight units, joined by a function."""

    def __init__(self, join: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.norm = nn.BatchNorm1d(8)
        self._join = join

    def forward(self, inputs: Tensor) -> Tensor:
        """Join them."""
        return self._join(self, inputs)


def sources(join: Callable[[nn.Module, Tensor], Tensor], folder: Path) -> dict[str, str | None]:
    """Train a step, and return which layer each layer is fed by."""
    model = Parts(join)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with trainhealth.watch(model, optimizer, run_dir=folder / "run") as watch:
        loss = model(torch.randn(4, 8)).sum()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    return {entry.name: entry.fed_by for entry in trainhealth.load(folder / "run").view.layers if not entry.activation}


@pytest.mark.parametrize(
    ("join", "fed_by"),
    [
        (lambda m, x: m.c(m.a(x)), "a"),
        (lambda m, x: m.c(nn.functional.dropout(m.a(x), 0.5)), "a"),
        (lambda m, x: m.c(m.a(x).view(4, 2, 4).flatten(1) * 2), "a"),
        (lambda m, x: m.c(m.norm(m.a(x))), "norm"),
        (lambda m, x: m.c(m.a(x).relu()), "a/relu"),
        (lambda m, x: m.c(m.a(x).relu_()), "a/relu"),
        (lambda m, x: m.c(m.a(x) + m.b(x)), None),
        (lambda m, x: m.c(m.a(x) * m.b(x)), None),
        (lambda m, x: m.c(nn.functional.max_pool1d(m.a(x)[None], 1)[0]), None),
        (lambda m, x: m.c(x), None),
    ],
    ids=["direct", "dropout", "shapes", "norm", "relu", "in place", "sum", "gate", "maximum", "input"],
)
def test_the_source_of_a_layer(join: Callable[[nn.Module, Tensor], Tensor], fed_by: str | None, tmp_path: Path) -> None:
    """Through shapes, dropout and constant factors; not through sums, products and maxima."""
    assert sources(join, tmp_path)["c"] == fed_by


@pytest.mark.parametrize(
    "join",
    [
        lambda m, x: m.norm((y := m.a(x)) + m.c(y)),
        lambda m, x: torch.relu((y := m.a(x)) + m.c(y)),
        lambda m, x: (y := m.a(x)).add(m.c(y)).relu_(),
        lambda m, x: m.b(torch.cat([y := m.a(x), m.c(y)])),
    ],
    ids=["before a layer", "before a function", "in place", "concatenation"],
)
def test_a_layer_with_a_residual_connection_around_it(
    join: Callable[[nn.Module, Tensor], Tensor], tmp_path: Path
) -> None:
    """What enters c is used beside c, too: c is not merely a continuation of a."""
    assert sources(join, tmp_path)["c"] is None


def test_no_graph_is_kept(tmp_path: Path) -> None:
    """After the forward nothing of ours holds its graph: the input is freed with the loss."""
    model = Parts(lambda m, x: m.c(m.a(x)))
    freed = []
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch:
        loss = model(torch.randn(4, 8)).sum()
        node = loss.grad_fn.next_functions[0][0]
        node.metadata["marker"] = Marker(freed)
        watch.step(loss.detach())
        del loss, node
        assert freed == [True]


class Marker:
    """Tells when it is freed."""

    def __init__(self, freed: list[bool]) -> None:
        self._freed = freed

    def __del__(self) -> None:
        self._freed.append(True)
