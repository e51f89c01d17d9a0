"""Every recipe's snippet runs on a small real model, and does what the recipe's `verify` promises."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from torch import Tensor, nn

from trainhealth.recipes import all_recipes, find
from trainhealth.recipes.base import SNIPPET_NAMES

Names = dict[str, Any]


@pytest.fixture(autouse=True)
def _one_thread_and_a_fixed_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


# --- the reader's script, into which a snippet is pasted --------------------------------------------------------------


@cache
def _digits() -> tuple[Tensor, Tensor]:
    images, labels = load_digits(return_X_y=True)
    return torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(labels)


def _script(model: nn.Module | None = None, *, rate: float = 0.1, images: bool = False) -> Names:
    """Return what the names of a snippet stand for: a classifier of handwritten digits, ready to be trained."""
    inputs, targets = _digits()
    if images:
        inputs = inputs.reshape(-1, 1, 8, 8)
    model = model or nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    return {
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=rate),
        "loss_fn": nn.CrossEntropyLoss(),
        "inputs": inputs[:256].clone(),
        "targets": targets[:256],
        "validation_inputs": inputs[1000:1256].clone(),
        "validation_targets": targets[1000:1256],
    }


def _deep(activation: type[nn.Module], depth: int = 10, scale: float | None = None) -> nn.Sequential:
    """Return a deep classifier; with `scale`, its weights are drawn with that standard deviation."""
    layers: list[nn.Module] = [nn.Linear(64, 64), activation()]
    for _ in range(depth - 1):
        layers += [nn.Linear(64, 64), activation()]
    model = nn.Sequential(*layers, nn.Linear(64, 10))
    if scale is not None:
        for layer in model:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=scale)
                nn.init.zeros_(layer.bias)
    return model


def _apply(recipe: str, script: Names) -> Names:
    """Run the recipe's snippet in the script, and show that the script still trains afterwards."""
    exec(compile(find(recipe).snippet, recipe, "exec"), script)
    state = {name: value.clone() for name, value in script["model"].state_dict().items()}
    losses = _train(script, 5)
    assert all(math.isfinite(loss) for loss in losses)
    script["model"].load_state_dict(state)  # the tests look at what the snippet left
    return script


def _train(script: Names, steps: int) -> list[float]:
    losses = []
    for _ in range(steps):
        losses.append(_backward(script))
        script["optimizer"].step()
    return losses


def _backward(script: Names) -> float:
    script["optimizer"].zero_grad()
    loss = script["loss_fn"](script["model"](script["inputs"]), script["targets"])
    loss.backward()
    return loss.item()


def _activation_stds(script: Names) -> list[float]:
    stds: list[float] = []
    out = script["inputs"]
    for layer in script["model"]:
        out = layer(out)
        if not isinstance(layer, nn.Linear):
            stds.append(out.std().item())
    return stds


def _first_gradient_norm(script: Names) -> float:
    _backward(script)
    return float(next(script["model"].parameters()).grad.norm())


# --- one promise a recipe ---------------------------------------------------------------------------------------------


def lower_learning_rate() -> None:
    """The loss, which rose at the old rate, falls."""
    before = _train(_script(rate=10.0), 20)
    torch.manual_seed(0)
    script = _apply("lower-learning-rate", _script(rate=10.0))
    losses = _train(script, 20)
    assert max(before) > 3 * before[0]
    assert losses[-1] < 2.0


def raise_learning_rate() -> None:
    """The loss, which stood still at the old rate, drops."""
    script = _script(rate=0.02)
    before = _train(script, 100)
    script = _apply("raise-learning-rate", _script(rate=0.02))
    after = _train(script, 100)
    assert before[0] - before[-1] < 0.4
    assert after[0] - after[-1] > 1.0


def find_learning_rate() -> None:
    """The best of the rates is set, and the search leaves the model as it was."""
    script = _script(rate=1e-9)
    before = script["model"][0].weight.clone()
    _apply("find-learning-rate", script)
    assert script["optimizer"].param_groups[0]["lr"] == script["best_rate"] == 0.1
    assert torch.equal(before, script["model"][0].weight)


def warm_up() -> None:
    """The rate grows from almost nothing to its value, and stays there."""
    script = _apply("warm-up", _script(rate=0.1))
    assert script["optimizer"].param_groups[0]["lr"] == pytest.approx(0.1 * (1 + 499 * 5 / 500) / 500)
    for _ in range(600):
        script["optimizer"].step()
        script["schedule"].step()
    assert script["optimizer"].param_groups[0]["lr"] == pytest.approx(0.1)


def gradient_clipping() -> None:
    """A gradient that is too large is scaled down to the limit."""
    script = _script(rate=1e-3)
    script["inputs"] *= 100
    exec(find("gradient-clipping").snippet, script)
    gradients = torch.cat([parameter.grad.flatten() for parameter in script["model"].parameters()])
    assert float(script["gradient_norm"]) > 10
    assert float(gradients.norm()) == pytest.approx(1.0, rel=1e-3)


def residual_connections() -> None:
    """The gradient reaches the first layer of a chain in which it vanished."""
    before = _first_gradient_norm(_script(_deep(nn.ReLU, scale=0.05)))
    torch.manual_seed(0)
    script = _apply("residual-connections", _script(_deep(nn.ReLU, scale=0.05)))
    last = float(script["model"][-1].weight.grad.norm())
    assert _first_gradient_norm(script) > 1000 * before
    assert 0.1 < _first_gradient_norm(script) / last < 10


def he_initialization() -> None:
    """The signal keeps its scale through ten ReLU layers."""
    before = _activation_stds(_script(_deep(nn.ReLU, scale=0.01)))
    after = _activation_stds(_apply("he-initialization", _script(_deep(nn.ReLU, scale=0.01))))
    assert before[-1] < 1e-6 * before[0]
    assert 0.3 < after[-1] / after[0] < 3


def xavier_initialization() -> None:
    """The signal stays within an order of magnitude through ten tanh layers, and nothing is saturated."""
    before = _activation_stds(_script(_deep(nn.Tanh, scale=0.01)))
    after = _activation_stds(_apply("xavier-initialization", _script(_deep(nn.Tanh, scale=0.01))))
    assert before[-1] < 1e-6 * before[0]
    assert after[-1] > 0.1 * after[0]
    assert max(after) < 0.9


def small_positive_bias() -> None:
    """Units that were dead by their bias fire again."""
    script = _script()
    nn.init.constant_(script["model"][0].bias, -10)
    assert script["model"][:2](script["inputs"]).amax(dim=0).eq(0).all()
    _apply("small-positive-bias", script)
    assert script["model"][:2](script["inputs"]).amax(dim=0).gt(0).all()


def leaky_relu() -> None:
    """Units that are negative for all data get a gradient."""
    script = _script()
    nn.init.constant_(script["model"][0].bias, -10)
    assert _first_gradient_norm(script) == 0
    assert _first_gradient_norm(_apply("leaky-relu", script)) > 0


def relu_instead_of_sigmoid() -> None:
    """The gradient of the first of five layers rises by orders of magnitude; a sigmoid at the end stays."""
    torch.manual_seed(0)
    script = _script(_deep(nn.Sigmoid, depth=5))
    before = _first_gradient_norm(script)
    assert _first_gradient_norm(_apply("relu-instead-of-sigmoid", script)) > 100 * before
    script = _script(nn.Sequential(nn.Linear(64, 16), nn.Sigmoid(), nn.Linear(16, 10), nn.Sigmoid()))
    model = _apply("relu-instead-of-sigmoid", script)["model"]
    assert [type(layer) for layer in model] == [nn.Linear, nn.ReLU, nn.Linear, nn.Sigmoid]


def batch_normalization() -> None:
    """Outputs are normalized from the start, evaluation is not random, and a much higher rate trains."""
    script = _apply("batch-normalization", _script(_deep(nn.ReLU, scale=0.01), rate=0.3))
    norm = next(index for index, layer in enumerate(script["model"]) if isinstance(layer, nn.BatchNorm1d))
    script["model"].train()
    assert script["model"][: norm + 1](script["inputs"]).std().item() == pytest.approx(1.0, abs=0.2)
    assert _train(script, 60)[-1] < 1.0
    script["model"].eval()
    assert torch.equal(script["model"](script["inputs"]), script["model"](script["inputs"]))


def early_stopping() -> None:
    """The run ends before its last epoch, with the weights of the best validation."""
    wide = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))
    script = _script(wide)
    script["optimizer"] = torch.optim.Adam(wide.parameters(), lr=1e-2)
    script["inputs"], script["targets"] = script["inputs"][:20], script["targets"][:20]
    _apply("early-stopping", script)
    wide.eval()
    validation_loss = script["loss_fn"](wide(script["validation_inputs"]), script["validation_targets"]).item()
    assert validation_loss == pytest.approx(script["best_loss"])
    assert script["epoch"] < 199


def dropout() -> None:
    """Outputs differ from forward to forward in training, and not in evaluation."""
    script = _apply("dropout", _script())
    model, inputs = script["model"], script["inputs"]
    assert not torch.equal(model(inputs), model(inputs))
    model.eval()
    assert torch.equal(model(inputs), model(inputs))


def weight_decay() -> None:
    """Without any gradient, weights shrink by the decay and biases stay."""
    script = _apply("weight-decay", _script())
    weight, bias = (parameter.clone() for parameter in script["model"][0].parameters())
    for parameter in script["model"].parameters():
        parameter.grad = torch.zeros_like(parameter)
    for state in script["optimizer"].state.values():
        state["exp_avg"].zero_()  # the momentum of the five steps of training
    script["optimizer"].step()
    assert torch.allclose(script["model"][0].weight, weight * (1 - 1e-3 * 1e-2))
    assert torch.equal(script["model"][0].bias, bias)


def standardize_inputs() -> None:
    """The training inputs have mean 0 and standard deviation 1; validation got the same numbers."""
    script = _script()
    raw, raw_validation = script["inputs"].clone(), script["validation_inputs"].clone()
    _apply("standardize-inputs", script)
    varied = raw.std(dim=0) > 0
    assert script["inputs"][:, varied].mean(dim=0).abs().max() < 1e-5
    assert torch.allclose(script["inputs"][:, varied].std(dim=0), torch.tensor(1.0), atol=1e-4)
    column = int(varied.nonzero()[0])
    same = (raw_validation[:, column] - raw[:, column].mean()) / raw[:, column].std()
    assert torch.allclose(script["validation_inputs"][:, column], same, atol=1e-5)


def scale_targets() -> None:
    """The initial mean squared error is about 1, and predictions come back in the unit of the data."""
    features, progression = load_diabetes(return_X_y=True)
    script = _script(nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0)), rate=0.05)
    inputs, targets = torch.tensor(features, dtype=torch.float32) * 20, torch.tensor(progression, dtype=torch.float32)
    script |= {"loss_fn": nn.MSELoss(), "inputs": inputs[:300], "targets": targets[:300]}
    script |= {"validation_inputs": inputs[300:], "validation_targets": targets[300:]}
    assert _backward(script) > 10_000
    _apply("scale-targets", script)
    assert 0.5 < _backward(script) < 2
    assert _train(script, 100)[-1] < 0.6
    assert script["predict"](script["inputs"]).mean().item() == pytest.approx(targets[:300].mean().item(), rel=0.1)


def data_augmentation() -> None:
    """Images keep their shape and differ each time; the validation split is left alone."""
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 10))
    script = _script(model, images=True)
    validation = script["validation_inputs"].clone()
    _apply("data-augmentation", script)
    first, second = script["augmented"](script["inputs"]), script["augmented"](script["inputs"])
    assert first.shape == script["inputs"].shape
    assert not torch.equal(first, second)
    assert torch.equal(script["validation_inputs"], validation)


def larger_model() -> None:
    """The training loss falls well below that of the smaller model after as many steps."""
    small = nn.Sequential(nn.Linear(64, 2), nn.ReLU(), nn.Linear(2, 10))
    script = _script(small)
    script["optimizer"] = torch.optim.AdamW(small.parameters(), lr=1e-3)
    before = _train(script, 100)[-1]
    assert _train(_apply("larger-model", script), 100)[-1] < 0.3 * before


def train_longer() -> None:
    """The loss at the end lies below that of a third of the epochs, and the schedule has come to its end."""
    short = _train(_script(rate=0.5), 20)[-1]
    torch.manual_seed(0)
    script = _apply("train-longer", _script(rate=0.5))
    assert _backward(script) < 0.8 * short
    assert script["schedule"].get_last_lr()[0] == pytest.approx(0, abs=1e-9)


def check_the_loss() -> None:
    """The initial loss is near log 10, the small sample is learnt by heart, and the model is as it was."""
    script = _script(rate=0.5)
    before = script["model"][0].weight.clone()
    _apply("check-the-loss", script)
    assert script["initial_loss"] == pytest.approx(script["expected_loss"], abs=0.3)
    assert script["overfitted_loss"] < 0.05
    assert torch.equal(before, script["model"][0].weight)


def find_first_nonfinite() -> None:
    """The layer in which a NaN was planted is named first; in a healthy model none is named, and no hook is left."""
    sick = _script(_deep(nn.ReLU, depth=3))
    with torch.no_grad():
        sick["model"][2].weight[0, 0] = torch.nan
    exec(find("find-first-nonfinite").snippet, sick)
    assert sick["nonfinite"][0] == "2"
    well = _apply("find-first-nonfinite", _script())
    assert well["nonfinite"] == []
    assert not any(module._forward_hooks for module in well["model"].modules())


PROMISES: dict[str, Callable[[], None]] = {
    check.__name__.replace("_", "-"): check
    for check in (
        lower_learning_rate, raise_learning_rate, find_learning_rate, warm_up, gradient_clipping, residual_connections,
        he_initialization, xavier_initialization, small_positive_bias, leaky_relu, relu_instead_of_sigmoid,
        batch_normalization, early_stopping, dropout, weight_decay, standardize_inputs, scale_targets,
        data_augmentation, larger_model, train_longer, check_the_loss, find_first_nonfinite,
    )
}  # fmt: skip


@pytest.mark.parametrize("recipe", [recipe.name for recipe in all_recipes()])
def test_the_snippet_runs_and_keeps_the_recipes_promise(recipe: str) -> None:
    """A recipe without a promise here is a recipe that nobody has tried."""
    PROMISES[recipe]()


def test_the_script_gives_a_snippet_the_names_that_are_promised() -> None:
    """`SNIPPET_NAMES` is what authors of recipes rely on."""
    assert set(_script()) == set(SNIPPET_NAMES)
