"""What else is told of a loss: reshaped scores, divergences, penalties, and what the loss function alone gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

import trainhealth
from trainhealth.hooks import loss as losses

CLASSES = 5


def facts_of(loss: Tensor) -> dict[str, Any]:
    """Return the facts as `step` finds them: after the backward."""
    loss.backward()
    return losses.describe(loss)


# --- reshaped scores ---


def sequences(*, transposed: bool = False) -> Tensor:
    """Scores [3, 4, CLASSES] of a linear layer; of a transposed input its bias is added in a step of its own."""
    inputs = torch.randn(4, 3, 2).transpose(0, 1) if transposed else torch.randn(3, 4, 2)
    return nn.Linear(2, CLASSES)(inputs)


def pixels() -> Tensor:
    """Scores [3, CLASSES, 2, 4] of a convolution."""
    return nn.Conv2d(1, CLASSES, 1)(torch.randn(3, 1, 2, 4))


LABELS = torch.zeros(3, 4, dtype=torch.long)
PIXELS = torch.zeros(24, dtype=torch.long)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_view_of_sequences_tells_where_the_classes_were(transposed: bool) -> None:
    """The last layer's shape and its units, also behind contiguous() and where the bias is an addition."""
    for scores in (
        sequences(transposed=transposed).view(3, CLASSES, 4),
        sequences(transposed=transposed).contiguous().reshape(3, CLASSES, 4),
    ):
        facts = facts_of(F.cross_entropy(scores, LABELS))
        shape = facts["reshaped_from"]
        assert (shape[facts["reshaped_axis"]], facts["reshaped_axis"]) == (CLASSES, len(shape) - 1)
        assert facts["loss_input_shape"] == [3, CLASSES, 4]


def test_a_view_of_pixels_tells_where_the_classes_were() -> None:
    """A convolution has its units on axis 1."""
    facts = facts_of(F.cross_entropy(pixels().view(-1, CLASSES), PIXELS))
    assert (facts["reshaped_from"], facts["reshaped_axis"]) == ([3, CLASSES, 2, 4], 1)


@pytest.mark.parametrize(
    "loss",
    [
        lambda: F.cross_entropy(sequences().transpose(1, 2), LABELS),
        lambda: F.cross_entropy(pixels().permute(0, 2, 3, 1).reshape(-1, CLASSES), PIXELS),
        lambda: F.cross_entropy(sequences()[:, 1:].reshape(-1, CLASSES), LABELS[:, 1:].flatten()),
        lambda: F.cross_entropy((sequences() + sequences()).view(3, CLASSES, 4), LABELS),
        lambda: F.cross_entropy(torch.randn(3, CLASSES, requires_grad=True), LABELS[:, 0]),
    ],
)
def test_behind_anything_else_the_place_of_the_classes_is_not_known(loss: Callable[[], Tensor]) -> None:
    """Transposed, permuted, cut, added up, and without a layer."""
    assert "reshaped_from" not in facts_of(loss())


# --- divergences and penalties ---


@pytest.mark.filterwarnings("ignore:reduction")  # torch advises against the mean over all elements
@pytest.mark.parametrize("reduction", ["batchmean", "mean", "sum"])
def test_what_enters_a_divergence(reduction: str) -> None:
    """It is known by its form, alone or as one term."""
    truth, scores = torch.full((3, 4), 0.25), nn.Linear(2, 4)(torch.randn(3, 2))
    divergence = F.kl_div(scores.softmax(1), truth, reduction=reduction)
    assert facts_of(divergence)["divergence_graph"][0] == "SoftmaxBackward0"
    scores = nn.Linear(2, 4)(torch.randn(3, 2))
    both = 0.9 * F.kl_div(scores.log_softmax(1), truth, reduction=reduction) + F.cross_entropy(scores, LABELS[:, 0])
    assert facts_of(both)["divergence_graph"][0] == "LogSoftmaxBackward0"


def test_other_differences_are_no_divergence() -> None:
    """A written-out regression, a hinge and a dice loss subtract products, too."""
    weight, x, y = torch.ones(3, requires_grad=True), torch.randn(4, 3), torch.randn(4, 3)
    for loss in (((y - x * weight) ** 2).mean(), (1 - y * (x * weight)).clamp(min=0).mean(), 1 - (y * weight).sum()):
        assert "divergence_graph" not in facts_of(loss)


@pytest.mark.parametrize(
    "penalty",
    [
        lambda parameters: sum(p.abs().sum() for p in parameters),
        lambda parameters: sum((p**2).sum() for p in parameters),
        lambda parameters: sum(p.norm() for p in parameters),
        lambda parameters: torch.stack([p.square().sum() for p in parameters]).sum(),
    ],
)
def test_a_penalty_on_parameters_is_told(penalty: Callable[[list[Tensor]], Tensor]) -> None:
    """Absolute values, squares and norms, however they are added up."""
    model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, CLASSES))
    loss = F.cross_entropy(model(torch.randn(3, 2)), LABELS[:, 0]) + 0.01 * penalty(list(model.parameters()))
    assert facts_of(loss)["penalized"] is True


def test_what_a_model_does_with_its_weights_is_no_penalty() -> None:
    """Normalised weights, a penalty on activations, and none."""
    model = nn.Linear(2, CLASSES)
    for loss in (
        F.cross_entropy(F.linear(torch.randn(3, 2), F.normalize(model.weight)), LABELS[:, 0]) + 1,
        F.cross_entropy(model(torch.randn(3, 2)), LABELS[:, 0]) + model(torch.randn(3, 2)).abs().mean(),
        F.cross_entropy(model(torch.randn(3, 2)), LABELS[:, 0]),
    ):
        assert "penalized" not in facts_of(loss)


# --- the loss function alone ---


def data_losses(folder: Path, loss_of: Callable[[Tensor, Tensor, nn.Module], Tensor], targets: Tensor) -> list[float]:
    model = nn.Linear(2, CLASSES)
    with trainhealth.watch(model, run_dir=folder / "run", overhead=1.0) as watch:
        for _ in range(2):
            outputs = model(torch.ones(4, 2))
            loss = loss_of(outputs, targets, model)
            loss.backward()
            watch.step(loss, outputs=outputs, targets=targets)
    view = trainhealth.load(folder / "run").view
    assert not [event for event in view.events if event.event.endswith("-disabled")]
    return view.series("data_loss").values.tolist()


def test_the_loss_without_its_penalty(tmp_path: Path) -> None:
    """Of a composed loss, the loss function alone is logged beside the sum."""
    targets, alone = torch.tensor([0, 1, 2, 3]), []

    def loss_of(outputs: Tensor, targets: Tensor, model: nn.Module) -> Tensor:
        alone.append(F.cross_entropy(outputs, targets))
        return alone[-1] + 0.1 * model.weight.abs().sum()

    logged = data_losses(tmp_path, loss_of, targets)
    assert logged == pytest.approx([float(loss.detach()) for loss in alone], rel=1e-4)


@pytest.mark.parametrize(
    "loss_of",
    [
        lambda outputs, targets, model: F.mse_loss(outputs, targets),
        lambda outputs, targets, model: F.binary_cross_entropy(outputs.sigmoid(), targets) + model.weight.abs().sum(),
    ],
)
def test_no_second_number_where_it_is_not_needed_or_not_known(tmp_path: Path, loss_of: Any) -> None:
    """One term only; probabilities, which the outputs are not."""
    assert data_losses(tmp_path, loss_of, torch.rand(4, CLASSES)) == []


def test_rows_without_a_label_do_not_count(tmp_path: Path) -> None:
    """The script leaves them out itself; what is no class would stop an accelerator."""
    targets, alone = torch.tensor([0, -1, 2, CLASSES]), []

    def loss_of(outputs: Tensor, targets: Tensor, model: nn.Module) -> Tensor:
        alone.append(F.cross_entropy(outputs[::2], targets[::2]))
        return alone[-1] + 0.1 * model.weight.abs().sum()

    logged = data_losses(tmp_path, loss_of, targets)
    assert logged == pytest.approx([float(loss.detach()) for loss in alone], rel=1e-4)
