"""The first loss and what regularisation makes of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn

from tests.checkups.looking import codes, look, mlp, table


def penalized(coefficient: float) -> Callable[[nn.Module, tuple[Tensor, Tensor]], Tensor]:
    def forward(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        inputs, target = batch
        penalty = sum(p.square().sum() for p in model.parameters())
        return F.cross_entropy(model(inputs), target) + coefficient * penalty

    return forward


def test_the_first_loss_stands_beside_that_of_guessing() -> None:
    """Three classes: log 3."""
    advice = look(mlp(), table(), "initial-loss").advice
    assert advice["loss_of_guessing"] == pytest.approx(math.log(3))
    assert advice["initial_loss"] == pytest.approx(math.log(3), rel=0.5)


def test_large_outputs_are_found_by_the_rule() -> None:
    """The last layer drawn a hundred times too large."""
    model = mlp()
    with torch.no_grad():
        model[2].weight.mul_(100)
    assert "LS07" in codes(look(model, table(), "initial-loss"))


@pytest.mark.parametrize(("coefficient", "found"), [(1e-4, []), (1e-2, []), (0.5, ["CU01"]), (-1e-3, ["CU02"])])
def test_a_penalty_raises_the_loss_but_not_more_than_it_should(coefficient: float, found: list[str]) -> None:
    """Mild penalties are silent, one that outweighs the data is named, and so is one with the wrong sign."""
    report = look(mlp(), table(), "initial-loss", loss_fn=None, forward=penalized(coefficient))
    assert codes(report) == found


@pytest.mark.parametrize(("decay", "found"), [(1e-4, []), (0.01, []), (1.0, ["CU01"])])
def test_weight_decay_is_a_penalty_where_the_optimizer_adds_it_to_gradients(decay: float, found: list[str]) -> None:
    """SGD's weight decay is a gradient; AdamW's is none."""
    model = mlp()
    sgd = torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=decay)
    adamw = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=decay)
    assert codes(look(model, table(), "initial-loss", optimizer=sgd)) == found
    assert codes(look(model, table(), "initial-loss", optimizer=adamw)) == []


@pytest.mark.parametrize(("rate", "found"), [(0.1, False), (0.5, False), (0.97, True)])
def test_dropout_that_drowns_the_signal_is_found(rate: float, found: bool) -> None:
    """Dropout of one half is usual; of 0.97 it multiplies what is left by 33."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(12, 64), nn.ReLU(), nn.Dropout(rate), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(rate), nn.Linear(64, 3)
    )
    with torch.no_grad():
        for layer in (model[0], model[3]):
            layer.weight.mul_(2.5)  # He's size
    assert ("CU01" in codes(look(model, table(), "initial-loss"))) is found


def test_a_variational_term_of_the_outputs_is_no_penalty_on_weights() -> None:
    """What passes through the outputs is the data's part, however large."""

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(outputs, target) + 10 * outputs.square().mean()

    assert codes(look(mlp(), table(), "initial-loss", loss_fn=loss)) == []


def test_dropout_explains_the_first_loss_that_it_lifts() -> None:
    """One illness, and the cause leads."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(12, 64), nn.ReLU(), nn.Dropout(0.97), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.97), nn.Linear(64, 3)
    )
    with torch.no_grad():
        for layer in (model[0], model[3]):
            layer.weight.mul_(3)
    found = {finding.code: finding for finding in look(model, table(), "initial-loss").findings}
    assert found["LS07"].caused_by == (found["CU01"].id,)


@dataclass
class Answer:
    """What a model of transformers returns, as a plain object."""

    logits: Tensor
    loss: Tensor | None = None


class Answers(nn.Module):
    """A model that computes its loss itself, if it is given labels."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp()

    def forward(self, inputs: Tensor, labels: Tensor) -> Answer:
        logits = self.net(inputs)
        return Answer(logits, F.cross_entropy(logits, labels))


@pytest.mark.parametrize("forward", [None, lambda model, batch: model(*batch).loss])
def test_a_loss_inside_of_the_models_answer_is_no_penalty(forward: Callable[..., Tensor] | None) -> None:
    """The loss stands in an attribute of an object: all of it comes from the outputs."""
    assert codes(look(Answers(), table(), "initial-loss", loss_fn=None, forward=forward)) == []
