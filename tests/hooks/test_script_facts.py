"""What an observed script tells of its loss and its classes, beside the numbers that it computes."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.hooks.test_script import Observed
from trainhealth.rules.engine import diagnose
from trainhealth.series import RunView

HEAD = "import torch\nfrom torch import nn\nF = nn.functional\ntorch.manual_seed(0)\n"


def observed(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> RunView:
    """Run these lines, and return what is known of their training."""
    path = folder / "script.py"
    path.write_text(HEAD + textwrap.dedent(script) + "\ntorch.save(None, 'result.pt')\n")
    return Observed(str(path.with_suffix("")), folder / "watched", monkeypatch).view


def test_a_loss_divided_by_the_batches_of_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first value is that of a model that knows nothing: the division is known, and taken back."""
    view = observed(
        """
        model = nn.Linear(4, 10)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(32):
            loss = F.cross_entropy(model(torch.randn(8, 4)), torch.randint(10, (8,))) / 8
            loss.backward()
            if step % 8 == 7:
                optimizer.step(); optimizer.zero_grad()
        """,
        tmp_path,
        monkeypatch,
    )
    assert view.facts["loss_factor"] == pytest.approx(1.0, abs=1e-3)
    assert view.facts["micro_batches"] == 8
    assert "LS07" not in [finding.code for finding in diagnose(view).findings]


HALF = "torch.cat([torch.arange(250), torch.arange(200, 350)])"  # 300 of the classes 0 to 2, then 50 each of 2 and 3
SPLIT = """
    labels = torch.arange(400) // 100  # sorted: four classes
    inputs = F.one_hot(labels, 4).float() + 0.1 * torch.randn(400, 4)
    order = {order}
    inputs, labels = inputs[order], labels[order]
    model = nn.Linear(4, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(2):
        for batch in torch.randperm(300).split(20):
            loss = F.cross_entropy(model(inputs[batch]), labels[batch])
            optimizer.zero_grad(); loss.backward(); optimizer.step()
        model.eval()
        with torch.no_grad():
            for batch in torch.arange(300, 400).split(25):
                F.cross_entropy(model(inputs[batch]), labels[batch])
        model.train()
"""


@pytest.mark.parametrize(("order", "share"), [("torch.arange(400)", 1.0), ("torch.randperm(400)", 0.0), (HALF, 0.5)])
def test_the_share_of_validation_that_training_never_showed(
    order: str, share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last class is in validation alone; none is; one of the two in it is."""
    view = observed(SPLIT.format(order=order), tmp_path, monkeypatch)
    assert view.series("validation_unseen_share").values.tolist() == [pytest.approx(share)] * 2


def test_other_targets_have_no_classes_that_were_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A regression."""
    view = observed(
        """
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for epoch in range(2):
            F.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1)).backward()
            optimizer.step()
            with torch.no_grad():
                F.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1))
        """,
        tmp_path,
        monkeypatch,
    )
    assert view.has("validation_loss")
    assert not view.has("validation_unseen_share")


PAIRS = """
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(6):
        one, other = model(torch.randn(8, 4)), model(torch.randn(8, 4))
        targets = torch.tensor({targets}, dtype=torch.{dtype})
        {loss}.backward()
        optimizer.step(); optimizer.zero_grad()
"""


@pytest.mark.parametrize(
    ("loss", "function"),
    [
        ("nn.CosineEmbeddingLoss()(one, other, targets)", "cosine_embedding_loss"),
        ("F.margin_ranking_loss(one[:, 0], other[:, 0], target=targets)", "margin_ranking_loss"),
        ("F.hinge_embedding_loss((one - other).norm(dim=1), targets)", "hinge_embedding_loss"),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_targets_without_a_sign_for_losses_of_pairs(
    loss: str, function: str, dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zeros and ones are told, in whatever numbers; such targets are taken for no classes of anything."""
    script = PAIRS.format(loss=loss, targets=[0, 1, 0, 1, 1, 0, 0, 1], dtype=dtype)
    view = observed(script, tmp_path, monkeypatch)
    assert view.facts["unsigned_targets"] == function
    assert "classes" not in view.facts


@pytest.mark.parametrize("targets", [[-1, 1] * 4, [1] * 8, [0, 1, -1, 1, 1, 0, -1, 1]])
def test_signed_targets_are_nothing_to_tell(
    targets: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both signs; one of them; and zeros among them, which leave pairs out."""
    script = PAIRS.format(loss="F.cosine_embedding_loss(one, other, targets)", targets=targets, dtype="float32")
    assert "unsigned_targets" not in observed(script, tmp_path, monkeypatch).facts
