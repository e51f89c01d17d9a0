"""By what a script has multiplied its loss: the function is computed once more, where it can be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from trainhealth.hooks import loss as losses


def factor(loss: Tensor, outputs: Tensor, targets: Tensor) -> float | None:
    """Return the factor as `step` finds it: after the backward."""
    loss.backward()
    return losses.factor_of(loss, outputs, targets, losses.describe(loss, outputs))


def scores(*shape: int) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(*shape, requires_grad=True) * 1


def test_a_loss_that_is_divided() -> None:
    """One of 32 accumulated batches: a thirty-second."""
    outputs, targets = scores(8, 5), torch.arange(8) % 5
    assert factor(F.cross_entropy(outputs, targets) / 32, outputs, targets) == pytest.approx(1 / 32)


def test_classes_on_the_last_axis() -> None:
    """Outputs of a language model, [N, T, C], whose loss takes them transposed or flattened."""
    outputs, targets = scores(4, 6, 5), torch.arange(24).view(4, 6) % 5
    assert factor(3 * F.cross_entropy(outputs.transpose(1, 2), targets), outputs, targets) == pytest.approx(3)
    outputs = scores(4, 6, 5)
    assert factor(3 * F.cross_entropy(outputs.view(-1, 5), targets.view(-1)), outputs, targets) == pytest.approx(3)


def test_ignored_targets_have_no_part_in_it() -> None:
    """A class that the loss ignores is ignored when it is computed again."""
    outputs, targets = scores(8, 5), torch.arange(8) % 5
    assert factor(F.cross_entropy(outputs, targets, ignore_index=0) / 2, outputs, targets) == pytest.approx(1 / 2)


def test_a_sum_is_computed_as_a_sum() -> None:
    """The factor is what the script has put there, not the number of terms."""
    outputs, targets = scores(8, 1), torch.ones(8, 1)
    assert factor(F.mse_loss(outputs, targets, reduction="sum") / 8, outputs, targets) == pytest.approx(1 / 8)


def test_scores_are_no_probabilities() -> None:
    """The model gives scores, and the script a sigmoid: a binary cross-entropy of scores can't be computed."""
    outputs, targets = scores(8, 1), torch.ones(8, 1)
    assert factor(F.binary_cross_entropy(outputs.sigmoid(), targets) / 4, outputs, targets) is None
    outputs = scores(8, 1).sigmoid()
    assert factor(F.binary_cross_entropy(outputs, targets) / 4, outputs, targets) == pytest.approx(1 / 4)


@pytest.mark.parametrize(
    "loss",
    [
        lambda outputs, targets: F.cross_entropy(outputs, targets),
        lambda outputs, targets: F.cross_entropy(outputs, targets) / 2 + outputs.square().mean(),
        lambda outputs, targets: F.cross_entropy(outputs, targets, reduction="none").mean() / 2,
        lambda outputs, targets: outputs.mean() / 2,
    ],
)
def test_no_factor_and_none_that_can_be_known(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Nothing multiplied; other terms; a mean that the script takes; no function that is known."""
    outputs, targets = scores(8, 5), torch.arange(8) % 5
    assert factor(loss(outputs, targets), outputs, targets) is None
