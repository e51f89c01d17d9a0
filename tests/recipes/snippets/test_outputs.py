"""The snippets of `recipes/outputs.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.recipes.script import Names, apply, diabetes_script, digits_script, paste, train


def test_logits_loss() -> None:
    """The loss falls below the bound of a doubled softmax; a sigmoid goes together with its loss; others stay."""

    def doubled() -> nn.Sequential:
        return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10), nn.Softmax(dim=1))

    script = digits_script(doubled(), rate=0.5)
    assert train(script, 200)[-1] > 1.46
    script = apply("logits-loss", script)
    assert train(script, 200)[-1] < 0.5
    binary = digits_script(nn.Sequential(nn.Linear(64, 1), nn.Sigmoid()))
    binary |= {"loss_fn": nn.BCELoss(), "targets": (binary["targets"] % 2).float()[:, None]}
    apply("logits-loss", binary)
    assert isinstance(binary["loss_fn"], nn.BCEWithLogitsLoss)
    assert len(binary["model"]) == 1
    assert len(apply("logits-loss", digits_script())["model"]) == 3


@pytest.mark.filterwarnings("ignore:Using a target size")  # that is the illness
def test_match_shapes() -> None:
    """The loss falls below the variance of the targets, which was its bound."""

    def standardized() -> Names:
        script = diabetes_script()
        script["targets"] = (script["targets"] - script["targets"].mean()) / script["targets"].std()
        return script

    assert train(standardized(), 200)[-1] > 0.95
    script = paste("match-shapes", standardized())
    for _ in range(200):
        loss = script["matched_loss"](script["model"](script["inputs"]), script["targets"])
        script["optimizer"].zero_grad()
        loss.backward()
        script["optimizer"].step()
    assert loss < 0.6
    with pytest.raises(RuntimeError):
        script["matched_loss"](script["model"](script["inputs"]), script["targets"][:7])


def test_output_activation() -> None:
    """A regression that ended in a ReLU reaches negative targets, and its optimizer is still the right one."""

    def clipped() -> Names:
        script = diabetes_script(nn.ReLU())
        script["targets"] = ((script["targets"] - script["targets"].mean()) / script["targets"].std())[:, None]
        return script

    before = train(clipped(), 300)[-1]
    torch.manual_seed(0)
    script = apply("output-activation", clipped())
    assert train(script, 300)[-1] < 0.8 * before
    assert script["model"](script["inputs"]).min() < 0
    assert len(apply("output-activation", digits_script())["model"]) == 3


def test_nonlinearity_between_layers() -> None:
    """Two linear layers learn XOR, on which a linear model stays at log 2."""
    script = digits_script(nn.Sequential(nn.Linear(2, 16), nn.Linear(16, 2)), rate=0.5)
    script["inputs"] = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    script["targets"] = torch.tensor([0, 1, 1, 0])
    assert train(script, 300)[-1] == pytest.approx(0.6931, abs=1e-3)
    assert train(apply("nonlinearity-between-layers", script), 300)[-1] < 0.1


def test_transpose_scores() -> None:
    """Sequences whose scores were reshaped learn next to nothing; transposed, they are learnt."""

    def sequences() -> Names:
        script = digits_script(nn.Sequential(nn.Linear(64, 10)))
        inputs, targets = script["inputs"].view(32, 8, 64), script["targets"].view(32, 8)
        optimizer = torch.optim.Adam(script["model"].parameters(), lr=0.01)
        return script | {"inputs": inputs, "targets": targets, "optimizer": optimizer}

    def trained(script: Names) -> float:
        for _ in range(100):
            loss = script["sequence_loss"](script["model"](script["inputs"]), script["targets"])
            script["optimizer"].zero_grad()
            loss.backward()
            script["optimizer"].step()
        return float(loss.detach())

    reshaped = sequences()
    reshaped["sequence_loss"] = lambda scores, labels: reshaped["loss_fn"](scores.view(32, 10, 8), labels)
    assert trained(reshaped) > 1.0
    assert trained(paste("transpose-scores", sequences())) < 0.3
