"""The snippets of `recipes/averaging.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import torch

from tests.recipes.script import Names, apply, convolutional, digits_script, paste


def mean_loss(script: Names, models: list[torch.nn.Module]) -> float:
    """The mean of the models' validation losses."""
    with torch.no_grad():
        losses = [script["loss_fn"](m(script["validation_inputs"]), script["validation_targets"]) for m in models]
    return float(torch.stack(losses).mean())


def predicted_loss(script: Names) -> float:
    """The validation loss of what `predict` gives: probabilities."""
    probabilities = script["predict"](script["validation_inputs"])
    assert torch.allclose(probabilities.sum(dim=1), torch.tensor(1.0))
    return float(torch.nn.functional.nll_loss(probabilities.log(), script["validation_targets"]))


def test_weight_averaging() -> None:
    """Under a noisy rate the average's loss moves by less than the weights' own."""
    script = paste("weight-averaging", digits_script(rate=0.5))
    own, averaged = [], []
    for _ in range(100):
        batch = torch.randint(256, (4,))  # noisy
        script["optimizer"].zero_grad()
        script["loss_fn"](script["model"](script["inputs"][batch]), script["targets"][batch]).backward()
        script["optimizer"].step()
        script["averaged"].update_parameters(script["model"])
        own.append(mean_loss(script, [script["model"]]))
        averaged.append(mean_loss(script, [script["averaged"]]))
    assert torch.tensor(averaged).diff().abs().mean() < 0.1 * torch.tensor(own).diff().abs().mean()
    assert averaged[-1] < sum(own) / len(own)


def test_snapshot_averaging() -> None:
    """Three snapshots, taken at the lowest rates, predict together at least as well as each on average."""
    script = apply("snapshot-averaging", digits_script(rate=0.5))
    assert len(script["snapshots"]) == 3
    weights = [snapshot[0].weight for snapshot in script["snapshots"]]
    assert not torch.equal(weights[0], weights[1])
    assert predicted_loss(script) <= mean_loss(script, script["snapshots"])


def test_ensemble() -> None:
    """Together the members predict better than each on average."""
    script = apply("ensemble", digits_script())
    assert predicted_loss(script) < 0.95 * mean_loss(script, script["members"])
    convolutions = apply("ensemble", digits_script(convolutional(), images=True))["members"]
    assert not torch.allclose(convolutions[0][0].weight, convolutions[1][0].weight, atol=0.05)
