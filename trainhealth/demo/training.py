"""The demo's training script: an ordinary PyTorch loop with one line of trainhealth in it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn

import trainhealth
from trainhealth.demo.programs import Program

CLASSES = 10
GAINS = {"relu": math.sqrt(2.0), "tanh": 1.0, "sigmoid": 1.0}  # He et al. 2015; Glorot and Bengio 2010


class Digits:
    """Scikit-learn's 1,797 images of 8 x 8 pixels, shuffled, scaled to [0, 1], and split."""

    def __init__(self, program: Program) -> None:
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
        inputs = torch.as_tensor(images, dtype=torch.float32).view(-1, 1, 8, 8)[order] / 16
        targets = torch.as_tensor(labels)[order]
        self.train = inputs[: program.examples], targets[: program.examples]
        self.validation = inputs[1437:], targets[1437:]
        if program.broken_example:
            self.train[0][program.examples // 2, 0, 4, 4] = math.nan

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the training split in random batches."""
        inputs, targets = self.train
        for chosen in torch.split(torch.randperm(len(inputs)), size):
            yield inputs[chosen], targets[chosen]


class Net(nn.Module):
    """Two convolutions with pooling, hidden layers, ten outputs."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, program.channels, 3, padding=1)
        self.conv2 = nn.Conv2d(program.channels, 2 * program.channels, 3, padding=1)
        widths = [8 * program.channels, *[program.hidden_units] * program.hidden_layers]
        self.hidden = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(widths))
        self.output = nn.Linear(widths[-1], CLASSES)
        self.activation: Callable[[Tensor], Tensor] = getattr(torch, program.activation)
        for layer in (self.conv1, self.conv2, *self.hidden):
            fan_in = layer.weight[0].numel()
            nn.init.normal_(layer.weight, std=program.weight_std or GAINS[program.activation] / math.sqrt(fan_in))
            nn.init.constant_(layer.bias, program.bias)
        nn.init.normal_(self.output.weight, std=program.output_std or 1 / math.sqrt(widths[-1]))
        nn.init.zeros_(self.output.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits [N, 10] of images [N, 1, 8, 8]."""
        signal = F.max_pool2d(self.activation(self.conv1(images)), 2)
        signal = F.max_pool2d(self.activation(self.conv2(signal)), 2).flatten(1)
        for layer in self.hidden:
            signal = self.activation(layer(signal))
        logits: Tensor = self.output(signal)
        return logits


def make_optimizer(net: nn.Module, program: Program) -> torch.optim.Optimizer:
    """Return the program's optimizer."""
    rate, decay, climb = program.learning_rate, program.weight_decay, program.maximize
    if program.optimizer == "Adam":
        return torch.optim.Adam(net.parameters(), lr=rate, weight_decay=decay, maximize=climb)
    return torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9, weight_decay=decay, maximize=climb)


def train(
    program: Program,
    run_dir: str | os.PathLike[str],
    *,
    disk: float = 180_000_000,
    pause: float = 0.0,
    progress: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train the program, log into `run_dir`, and return the folder that was used.

    `pause` seconds are slept after each step: the net is so small that there would be nothing to watch.
    """
    torch.manual_seed(program.seed)
    torch.set_num_threads(1)  # a net as small as this is slower with more
    digits, net = Digits(program), Net(program)
    optimizer = make_optimizer(net, program)
    inputs, targets = digits.validation
    steps = program.epochs * math.ceil(len(digits.train[0]) / program.batch_size)
    settings = {"batch_size": program.batch_size, "learning_rate": program.learning_rate, "epochs": program.epochs}
    with trainhealth.watch(
        net, optimizer, run_dir=run_dir, hyperparameters=settings, total_steps=steps, disk=disk
    ) as watch:
        for epoch in range(program.epochs):
            for images, labels in digits.batches(program.batch_size):
                logits = net(images)
                loss = F.cross_entropy(logits, labels)
                if program.root_of_zero:
                    loss = loss + 1e-3 * net.output.bias.square().sum().sqrt()
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                optimizer.step()
                watch.step(loss, outputs=logits, targets=labels)
                time.sleep(pause)
            with torch.no_grad():
                logits = net(inputs)
            validation_loss = float(F.cross_entropy(logits, targets))
            accuracy = float((logits.argmax(1) == targets).float().mean())
            watch.epoch(validation_loss=validation_loss, validation_accuracy=accuracy)
            progress(
                f"epoch {epoch + 1}/{program.epochs}: train_loss {loss.item():.4g}, "
                f"validation_loss {validation_loss:.4g}, validation_accuracy {accuracy:.3f}"
            )
    return watch.run_dir
