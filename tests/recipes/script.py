"""The reader's script, into which a snippet is pasted: a small model that learns real data."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
from sklearn.datasets import load_diabetes, load_digits
from torch import Tensor, nn

from trainhealth.recipes import find

Names = dict[str, Any]


@cache
def _digits() -> tuple[Tensor, Tensor]:
    images, labels = load_digits(return_X_y=True)
    return torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(labels)


def digits_script(model: nn.Module | None = None, *, rate: float = 0.1, images: bool = False) -> Names:
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


def diabetes_script(*ends: nn.Module, rate: float = 0.05) -> Names:
    """Return the names for a regression: the progression of a disease; `ends` follow the last linear layer."""
    features, progression = load_diabetes(return_X_y=True)
    inputs, targets = torch.tensor(features, dtype=torch.float32) * 20, torch.tensor(progression, dtype=torch.float32)
    script = digits_script(nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1), *ends), rate=rate)
    script |= {"loss_fn": nn.MSELoss(), "inputs": inputs[:300], "targets": targets[:300]}
    return script | {"validation_inputs": inputs[300:], "validation_targets": targets[300:]}


def convolutional(*ends: nn.Module) -> nn.Sequential:
    """Return a small convolutional classifier of digits."""
    layers = (nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * 64, 10), *ends)


def deep(activation: type[nn.Module], depth: int = 10, scale: float | None = None) -> nn.Sequential:
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


def paste(recipe: str, script: Names) -> Names:
    """Run the recipe's snippet in the script."""
    exec(compile(find(recipe).snippet, recipe, "exec"), script)
    return script


def apply(recipe: str, script: Names) -> Names:
    """Run the recipe's snippet in the script, and show that the script still trains afterwards."""
    paste(recipe, script)
    state = {name: value.clone() for name, value in script["model"].state_dict().items()}
    losses = train(script, 5)
    assert all(math.isfinite(loss) for loss in losses)
    script["model"].load_state_dict(state)  # the tests look at what the snippet left
    return script


def train(script: Names, steps: int) -> list[float]:
    """Train on the whole batch, and return the loss of each step."""
    losses = []
    for _ in range(steps):
        losses.append(backward(script))
        script["optimizer"].step()
    return losses


def backward(script: Names) -> float:
    """Leave the gradients of the whole batch in the parameters, and return its loss."""
    script["optimizer"].zero_grad()
    loss = script["loss_fn"](script["model"](script["inputs"]), script["targets"])
    loss.backward()
    return float(loss.detach())


def validation_loss(script: Names) -> float:
    """Return the loss of the script's model on the validation examples, in evaluation mode."""
    script["model"].eval()
    with torch.no_grad():
        loss = script["loss_fn"](script["model"](script["validation_inputs"]), script["validation_targets"])
    script["model"].train()
    return float(loss)


def few_examples(model: nn.Module | None = None, *, images: bool = False) -> Names:
    """Return a script of sixty examples, which a wide model learns by heart within 300 steps."""
    script = digits_script(model or nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10)), images=images)
    script["optimizer"] = torch.optim.Adam(script["model"].parameters(), lr=1e-2)
    return script | {"inputs": script["inputs"][:60], "targets": script["targets"][:60]}


def gap(script: Names) -> float:
    """Return by how much the validation loss is above the training loss, both in evaluation mode."""
    script["model"].eval()
    with torch.no_grad():
        loss = script["loss_fn"](script["model"](script["inputs"]), script["targets"])
    return validation_loss(script) - float(loss)


def first_gradient_norm(script: Names) -> float:
    """Return the norm of the gradient of the first parameter."""
    backward(script)
    return float(next(script["model"].parameters()).grad.norm())
