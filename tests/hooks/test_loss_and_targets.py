"""What is read from the loss's graph and from outputs and targets."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from trainhealth.hooks import loss as losses
from trainhealth.hooks import targets as labels

LOGITS = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [1.0, 0.0, 5.0], [4.0, 1.0, 1.0]], requires_grad=True)
CLASSES = torch.tensor([0, 1, 1, 0])
ZEROS = torch.zeros(4, 3)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (F.cross_entropy(LOGITS, CLASSES), ("cross_entropy", "mean", False)),
        (F.cross_entropy(LOGITS, CLASSES, reduction="sum"), ("cross_entropy", "sum", False)),
        (F.cross_entropy(LOGITS, CLASSES) + 0.1 * LOGITS.square().sum(), ("cross_entropy", "mean", True)),
        (F.cross_entropy(LOGITS, CLASSES) / 4, ("cross_entropy", "mean", False)),
        (F.nll_loss(LOGITS.softmax(1).log(), CLASSES), ("nll", "mean", False)),
        (F.mse_loss(LOGITS, torch.zeros(4, 3)), ("mse", "mean", False)),
        (F.binary_cross_entropy(LOGITS.sigmoid(), ZEROS), ("binary_cross_entropy", "mean", False)),
        (F.binary_cross_entropy_with_logits(LOGITS, ZEROS), ("binary_cross_entropy_with_logits", "mean", False)),
    ],
)
def test_the_loss_function_is_read_from_the_graph(loss: torch.Tensor, expected: tuple[str, str, bool]) -> None:
    """Name and reduction of the loss in use, and whether it is one term of a sum."""
    facts = losses.describe(loss)
    assert (facts["loss_function"], facts["loss_reduction"], facts["loss_composed"]) == expected
    assert facts["loss_graph"][0] == loss.grad_fn.name()


def test_a_number_and_an_unknown_graph_claim_nothing() -> None:
    """What can't be read is not guessed."""
    assert losses.describe(1.0) == {"loss_form": "number"}
    assert losses.describe(torch.tensor(1.0)) == {"loss_form": "number"}
    assert "loss_function" not in losses.describe(LOGITS.abs().mean())


def test_accuracy_in_every_known_shape() -> None:
    """Class indices against logits: plain, per pixel, per token with padding; two kinds of binary outputs."""
    assert labels.accuracy(LOGITS, CLASSES, None) == 0.75
    pixels = torch.randn(2, 3, 4, 5)
    assert labels.accuracy(pixels, pixels.argmax(1), None) == 1.0
    tokens = torch.randn(2, 7, 5)
    wanted = tokens.argmax(2)
    wanted[0, :3] = labels.IGNORED
    wanted[1, 0] = (wanted[1, 0] + 1) % 5
    assert labels.accuracy(tokens, wanted, None) == pytest.approx(10 / 11)
    logits, truth = torch.tensor([[0.3], [-0.3]]), torch.tensor([1.0, 1.0])
    assert labels.accuracy(logits, truth, "binary_cross_entropy_with_logits") == 0.5
    assert labels.accuracy(logits.sigmoid(), truth, "binary_cross_entropy") == 0.5
    assert labels.accuracy(logits, truth, "mse") is None


def test_the_first_batch_tells_the_task() -> None:
    """Classification with its classes, language, regression with the spread of its targets."""
    assert labels.describe(LOGITS, CLASSES, None)["classes"] == 3
    assert labels.describe(torch.randn(2, 7, 5), torch.zeros(2, 7, dtype=torch.long), None)["task"] == "language"
    facts = labels.describe(torch.zeros(4, 1), torch.tensor([[1.0], [3.0], [1.0], [3.0]]), "mse")
    assert (facts["task"], facts["target_mean"], facts["target_std"], facts["target_mean_square"]) == (
        "regression",
        2.0,
        1.0,
        5.0,
    )
    assert "task" not in labels.describe(LOGITS, None, None)
