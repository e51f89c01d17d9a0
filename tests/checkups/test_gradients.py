"""Whether the loss has a gradient, and who gets it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn

from tests.checkups.looking import codes, look, mlp, table


def test_a_loss_without_a_graph_is_found_and_the_rest_says_why_not() -> None:
    """Detached outputs leave nothing to learn from; what needs a gradient is not checked."""

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(outputs.detach(), target)

    report = look(mlp(), table(), loss_fn=loss)
    assert codes(report) == ["CU09"]
    assert {"LS07", "IN01", "CU07"} <= {item.code for item in report.not_checked}


def test_a_loss_with_a_graph_past_the_model_is_found() -> None:
    """Backward does not complain where something else than the model requires a gradient."""
    scale = torch.ones((), requires_grad=True)

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        return scale * F.cross_entropy(outputs.detach(), target)

    assert codes(look(mlp(), table(), "gradients", loss_fn=loss)) == ["CU09"]


class TwoHeads(nn.Module):
    def __init__(self, *, both: bool) -> None:
        super().__init__()
        self.body, self.first, self.second = nn.Linear(12, 16), nn.Linear(16, 3), nn.Linear(16, 3)
        self.both = both

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.body(x))
        return self.first(hidden) + (self.second(hidden) if self.both else 0)


def test_a_head_that_is_not_used_is_a_note() -> None:
    """Its parameters are named."""
    report = look(TwoHeads(both=False), table(), "gradients")
    assert [(finding.code, str(finding.severity)) for finding in report.findings] == [("CU10", "note")]
    assert {piece.place for piece in report.findings[0].evidence} == {"second.weight", "second.bias"}


@pytest.mark.parametrize("make", [mlp, lambda: TwoHeads(both=True)])
def test_models_that_learn_throughout_are_silent(make: type[nn.Module]) -> None:
    """Every parameter has a gradient."""
    assert codes(look(make(), table(), "gradients")) == []


def test_what_is_frozen_on_purpose_is_silent() -> None:
    """Parameters that require no gradient are not missed."""
    model = mlp()
    model[0].requires_grad_(False)
    assert codes(look(model, table(), "gradients")) == []


def test_parameters_outside_of_the_optimizer_are_found() -> None:
    """The rule for frozen parameters judges the watched start."""
    model = mlp()
    report = look(model, table(), "gradients", optimizer=torch.optim.SGD(model[0].parameters(), lr=0.1))
    assert "OP09" in codes(report)
