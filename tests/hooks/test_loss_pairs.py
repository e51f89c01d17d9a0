"""A loss written out by hand that was broadcast to all pairs of predictions and targets, told by its graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from trainhealth.hooks import loss as losses

N = 6


def pairs_in(loss: Tensor) -> Any:
    """Return the fact as `step` finds it: after the backward."""
    loss.backward()
    return losses.describe(loss).get("loss_pairs")


def scores() -> Tensor:
    """Return predictions [N, 1] of a model."""
    return nn.Linear(3, 1)(torch.randn(N, 3))


def cross_entropy(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the binary cross-entropy, as beginners write it."""
    share = torch.sigmoid(prediction)
    return -(target * torch.log(share + 1e-8) + (1 - target) * torch.log(1 - share + 1e-8)).mean()


def hinge(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the loss of a support vector machine."""
    return F.relu(1 - target * prediction).sum()


def log_cosh(prediction: Tensor, target: Tensor) -> Tensor:
    """Return a smooth absolute error."""
    return torch.log(torch.cosh(prediction - target)).mean()


FORMULAS = pytest.mark.parametrize("formula", [cross_entropy, hinge, log_cosh])


@FORMULAS
def test_shapes_that_do_not_fit_are_told(formula: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Predictions [N, 1] beside targets [N], and the other way round."""
    targets = torch.ones(N)
    assert pairs_in(formula(scores(), targets)) == [N, 1]
    assert pairs_in(formula(scores().squeeze(1), targets.unsqueeze(1))) == [N]


@FORMULAS
def test_shapes_that_fit_are_not(formula: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Both [N], both [N, 1], and one weight for all."""
    targets = torch.ones(N)
    assert pairs_in(formula(scores().squeeze(1), targets)) is None
    assert pairs_in(formula(scores(), targets.unsqueeze(1))) is None
    assert pairs_in(formula(scores(), torch.ones(1))) is None


def test_pairs_on_purpose_are_not() -> None:
    """Each score is compared with each other one; similarities of all examples; as many outputs as examples."""
    one, embeddings = scores(), nn.Linear(3, 2)(torch.randn(N, 3))
    assert pairs_in(F.relu(1 - (one - one.T)).mean()) is None
    assert pairs_in(((embeddings @ embeddings.T) * torch.eye(N)).mean()) is None
    assert pairs_in((torch.tanh(nn.Linear(3, N)(torch.randn(N, 3))) * torch.randn(N)).mean()) is None


def test_a_distance_between_distributions_is_not() -> None:
    """Of each two samples, drawn by the model or from the data: one of the terms holds pairs that are both learned."""

    def kernel(one: Tensor, other: Tensor) -> Tensor:
        return torch.exp(-((one - other.T) ** 2)).mean()

    drawn, data = scores(), torch.randn(N, 1)
    assert pairs_in(kernel(drawn, drawn) + kernel(data, data) - 2 * kernel(drawn, data)) is None
    drawn = scores()
    assert pairs_in(2 * (drawn - data.T).abs().mean() - (drawn - drawn.T).abs().mean()) is None
