"""The snippets of `recipes/optimizers.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from tests.recipes.script import Names, apply, backward, digits_script, paste, train


def ravine(rate: float = 0.018) -> Names:
    """A regression whose loss is a ravine: one direction is 100 times as steep as the other."""
    inputs = torch.tensor([[10.0, 0.0], [0.0, 1.0]])
    model = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(model.weight)
    script = digits_script(model, rate=rate)
    return script | {"loss_fn": nn.MSELoss(), "inputs": inputs, "targets": torch.tensor([[10.0], [1.0]])}


def test_momentum() -> None:
    """It gets through a ravine in which plain SGD creeps, and learns digits faster at the same rate."""
    assert train(apply("momentum", ravine()), 200)[-1] < 0.1 * train(ravine(), 200)[-1]
    plain, script = digits_script(), digits_script()
    assert train(apply("momentum", script), 60)[-1] < 0.5 * train(plain, 60)[-1]


def test_nesterov() -> None:
    """Its waves in a ravine are smaller than those of plain momentum at the same rate."""
    plain = train(paste("momentum", ravine(0.009)), 40)
    looking_ahead = train(paste("nesterov", ravine(0.018)), 40)  # it halves the rate
    assert max(looking_ahead[10:]) < 0.5 * max(plain[10:])
    train(apply("nesterov", digits_script()), 10)


def test_adamw() -> None:
    """Gradients a thousand times smaller change nothing; SGD stands still with them."""

    def scaled_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return 1e-3 * nn.functional.cross_entropy(outputs, targets)

    script = digits_script() | {"loss_fn": scaled_loss}
    before = train(script, 100)
    assert before[-1] > 0.98 * before[0]
    plain = digits_script(copy.deepcopy(script["model"]))
    after, unscaled = (train(paste("adamw", each), 100) for each in (script, plain))
    assert after[-1] < 0.9 * before[0]
    assert [1000 * loss for loss in after] == pytest.approx(unscaled, rel=0.01)
    apply("adamw", digits_script())


def test_rmsprop() -> None:
    """Under a steady gradient AdaGrad's steps decay with the root of their number; these stay as long."""

    def last_steps(script: Names) -> list[float]:
        script["loss_fn"] = lambda outputs, targets: outputs.sum()  # the same gradient at every step
        weight, lengths = script["model"].weight, []
        for _ in range(1000):
            before = weight.detach().clone()
            train(script, 1)
            lengths.append(float((weight.detach() - before).norm()))
        return [lengths[499], lengths[999]]

    adagrad = ravine()
    adagrad["optimizer"] = torch.optim.Adagrad(adagrad["model"].parameters(), lr=1e-2)
    halfway, last = last_steps(adagrad)
    assert last < 0.75 * halfway
    halfway, last = last_steps(paste("rmsprop", ravine()))
    assert last == pytest.approx(halfway, rel=0.01)
    assert train(apply("rmsprop", digits_script()), 300)[-1] < 0.5


def test_full_batch_lbfgs() -> None:
    """Within five steps the loss is below a tenth of what SGD reaches in a hundred."""
    before = train(digits_script(), 100)[-1]
    assert backward(paste("full-batch-lbfgs", digits_script())) < 0.1 * before
