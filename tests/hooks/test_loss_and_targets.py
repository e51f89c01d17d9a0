"""What is read from the loss's graph and from outputs and targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from trainhealth.hooks import loss as losses
from trainhealth.hooks import targets as labels

LOGITS = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [1.0, 0.0, 5.0], [4.0, 1.0, 1.0]], requires_grad=True)
CLASSES = torch.tensor([0, 1, 1, 0])
ZEROS = torch.zeros(4, 3)


@pytest.mark.parametrize("loss", [F.binary_cross_entropy, F.binary_cross_entropy_with_logits])
def test_swapped_arguments_are_told(loss: Callable[..., torch.Tensor]) -> None:
    """Targets have no graph, and a teacher that is trained as well has one on either side."""
    outputs, teacher = (torch.full((4, 1), 0.3, requires_grad=True) for _ in range(2))
    assert facts_of(loss(torch.ones(4, 1), outputs.sigmoid()))["loss_swapped"] is True
    assert "loss_swapped" not in facts_of(loss(outputs.sigmoid(), torch.ones(4, 1)))
    assert "loss_swapped" not in facts_of(loss(outputs.sigmoid(), teacher.sigmoid()))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (F.cross_entropy(LOGITS, CLASSES), ("cross_entropy", "mean", False)),
        (F.cross_entropy(LOGITS, CLASSES, reduction="sum"), ("cross_entropy", "sum", False)),
        (
            F.cross_entropy(LOGITS[:, :, None].expand(-1, -1, 2), CLASSES[:, None].expand(-1, 2)),
            ("cross_entropy", "mean", False),
        ),
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


def facts_of(loss: torch.Tensor, outputs: torch.Tensor | None = None) -> dict[str, Any]:
    """Return the facts as `step` finds them: after the backward, which frees what the graph has saved."""
    loss.backward()
    return losses.describe(loss, outputs)


def prediction(width: int = 3) -> torch.Tensor:
    return LOGITS.relu() @ torch.ones(3, width)


@pytest.mark.parametrize(
    ("loss", "nodes", "shape"),
    [
        (lambda: F.cross_entropy(prediction(), CLASSES), ["MmBackward0", "ReluBackward0"], [4, 3]),
        (lambda: F.cross_entropy(prediction().softmax(1), CLASSES), ["SoftmaxBackward0", "MmBackward0"], [4, 3]),
        (lambda: F.cross_entropy(prediction(), ZEROS + 1 / 3), ["MmBackward0", "ReluBackward0"], [4, 3]),
        (lambda: F.mse_loss(prediction(1)[:, 0], ZEROS[:, 0]), ["SelectBackward0", "MmBackward0"], [4]),
        (lambda: F.mse_loss(ZEROS, prediction()), ["MmBackward0", "ReluBackward0"], [4, 3]),
        (lambda: F.binary_cross_entropy_with_logits(prediction().sigmoid(), ZEROS), ["SigmoidBackward0"], [4, 3]),
        (lambda: (prediction() - ZEROS).square().mean(), ["MmBackward0", "ReluBackward0"], [4, 3]),
    ],
)
def test_what_enters_the_loss(loss: Callable[[], torch.Tensor], nodes: list[str], shape: list[int]) -> None:
    """The nodes behind the prediction and its shape, with the loss's own log-softmax left out."""
    facts = facts_of(loss())
    assert facts["loss_input_graph"][: len(nodes)] == nodes
    assert facts["loss_input_shape"] == shape
    assert facts["output_graph"] == facts["loss_input_graph"]
    assert not facts.get("loss_expanded")


def test_the_graph_of_the_outputs_is_their_own() -> None:
    """What is passed as outputs is described by its own graph; detached outputs by what enters the loss."""
    logits = prediction()
    probabilities = logits.softmax(1)
    assert facts_of(F.cross_entropy(logits, CLASSES), probabilities)["output_graph"][0] == "SoftmaxBackward0"
    loss = F.cross_entropy(logits.exp().log(), CLASSES)
    assert losses.describe(loss, probabilities.detach())["output_graph"][0] == "LogBackward0"


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize(
    "loss",
    [
        lambda target: F.mse_loss(prediction(1), target),
        lambda target: F.l1_loss(prediction(1), target),
        lambda target: (prediction(1) - target).square().mean(),
        lambda target: ((target - prediction(1)) ** 2).sum(),
        lambda target: (prediction(1) - target).abs().mean(),
    ],
)
def test_a_broadcast_prediction_is_told(loss: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """[N, 1] against [N] makes N x N pairs, whether a function of torch's or the script takes the difference."""
    assert facts_of(loss(torch.zeros(4)))["loss_expanded"] is True
    assert facts_of(loss(torch.zeros(4, 1)))["loss_expanded"] is False


@pytest.mark.parametrize(
    ("loss", "axis"),
    [
        (lambda: F.cross_entropy(prediction(), CLASSES), 1),
        (lambda: F.cross_entropy(prediction().softmax(-2), CLASSES), 0),
        (lambda: F.nll_loss(prediction().log_softmax(0), CLASSES), 0),
        (lambda: F.nll_loss(prediction().softmax(-1).log(), CLASSES), 1),
        (lambda: F.nll_loss((prediction().softmax(0) + 1e-9).log(), CLASSES), 0),
        (lambda: F.nll_loss(prediction().softmax(0).clamp(min=1e-9).log(), CLASSES), 0),
        (lambda: F.mse_loss(prediction(), ZEROS), None),
    ],
)
def test_the_axis_of_the_softmax(loss: Callable[[], torch.Tensor], axis: int | None) -> None:
    """That of the softmax in the prediction, else of the one in the loss; counted from 0."""
    assert facts_of(loss()).get("softmax_axis") == axis


@pytest.mark.parametrize(
    ("loss", "function", "reduction"),
    [
        (lambda: (prediction() - ZEROS).pow(2).mean(), "mse", "mean"),
        (lambda: 0.5 * ((ZEROS - prediction()) ** 2).sum(), "mse", "sum"),
        (lambda: (prediction() - ZEROS).abs().mean(), "l1", "mean"),
        (lambda: (prediction() - prediction()).square().mean(), None, None),  # two embeddings
        (lambda: (LOGITS - ZEROS).square().sum(), None, None),  # a parameter and its old value
        (lambda: prediction().square().mean(), None, None),
        (lambda: prediction().mean() + ((prediction() - 1) ** 2).mean(), None, None),  # a gradient penalty
    ],
)
def test_losses_that_are_written_out(
    loss: Callable[[], torch.Tensor], function: str | None, reduction: str | None
) -> None:
    """A squared or absolute difference between a prediction and a target, and nothing that only looks like one."""
    facts = facts_of(loss())
    assert (facts.get("loss_function"), facts.get("loss_reduction")) == (function, reduction)


def test_classes_are_read_from_the_graph() -> None:
    """A cross entropy tells the number of classes by itself, also of flattened tokens."""
    assert facts_of(F.cross_entropy(prediction(7), CLASSES))["classes"] == 7
    tokens = (prediction(5).unsqueeze(1) * torch.ones(4, 6, 5)).view(-1, 5)
    assert facts_of(F.cross_entropy(tokens, torch.zeros(24, dtype=torch.long)))["classes"] == 5


def test_what_a_loss_has_saved() -> None:
    """Prediction and target while the graph stands, and nothing afterwards: torch then raises, we do not."""
    loss = F.cross_entropy(prediction(), CLASSES) + LOGITS.sum()
    pair = losses.saved_pair(loss)
    assert pair is not None
    assert torch.equal(pair[0], prediction().detach().log_softmax(1))
    assert torch.equal(pair[1], CLASSES)
    loss.backward()
    assert losses.saved_pair(loss) is None
    assert losses.saved_pair(prediction().sum()) is None
    assert losses.saved_pair(1.0) is None


@pytest.mark.parametrize(
    ("targets", "dtype", "integers"),
    [
        (CLASSES, "int64", True),
        (torch.tensor([1.0, 3.0]), "float32", True),
        (torch.tensor([1.0, 3.5]), "float32", False),
        (torch.tensor([True, False]), "bool", True),
    ],
)
def test_the_kind_of_targets(targets: torch.Tensor, dtype: str, integers: bool) -> None:
    """Their type, and whether all of them are whole numbers: classes that a regression is trained on."""
    facts = labels.describe(None, targets, "mse")
    assert (facts["target_dtype"], facts["target_integers"]) == (dtype, integers)


def test_what_the_loss_ignores_and_what_the_outputs_lack() -> None:
    """The class that has no part in a cross-entropy, and the share of outputs that are exactly 0."""
    assert facts_of(F.cross_entropy(prediction(), CLASSES))["ignore_index"] == -100
    assert facts_of(F.nll_loss(prediction().log_softmax(1), CLASSES, ignore_index=0))["ignore_index"] == 0
    outputs = torch.tensor([[0.0, 1.0], [2.0, 0.0], [3.0, 4.0], [5.0, 6.0]])
    assert labels.describe(outputs, CLASSES, "cross_entropy")["output_zeros"] == 0.25


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
