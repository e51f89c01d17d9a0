"""The five models on which the cost of watching is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn


@dataclass
class Task:
    """A model, one batch, and the loss of the model on it."""

    model: nn.Module
    inputs: Tensor
    targets: Tensor

    def loss(self) -> tuple[Tensor, Tensor]:
        """Return (loss, logits [N, C])."""
        logits = self.model(self.inputs)
        return F.cross_entropy(logits, self.targets), logits


class Block(nn.Module):
    """A residual block of ResNet-18."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(shortcut(x) + residual(x))."""
        residual = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(residual + self.shortcut(x))


class Recurrent(nn.Module):
    """An LSTM that classifies a sequence by its last output."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(32, 128, 2, batch_first=True), nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [N, 10] of sequences [N, T, 32]."""
        logits: Tensor = self.head(self.lstm(x)[0][:, -1])
        return logits


class Pooled(nn.Module):
    """A transformer encoder that classifies a sequence by the mean of its outputs."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(128, 4, 512, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 6, enable_nested_tensor=False), nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [N, 10] of sequences [N, T, 128]."""
        logits: Tensor = self.head(self.encoder(x).mean(1))
        return logits


def _task(model: nn.Module, *shape: int) -> Task:
    return Task(model, torch.randn(*shape), torch.randint(0, 10, (shape[0],)))


def small_mlp() -> Task:
    """About half a millisecond a step."""
    return _task(nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10)), 128, 64)


def deep_mlp() -> Task:
    """Fifty hidden layers."""
    hidden = [module for _ in range(50) for module in (nn.Linear(128, 128), nn.ReLU())]
    return _task(nn.Sequential(nn.Linear(64, 128), nn.ReLU(), *hidden, nn.Linear(128, 10)), 64, 64)


def resnet18() -> Task:
    """ResNet-18 on 32 x 32 images."""
    widths = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1)]  # fmt: skip  # noqa: E501  # a table
    stem = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)]
    return _task(nn.Sequential(*stem, *(Block(*width) for width in widths), *head), 16, 3, 32, 32)


def transformer() -> Task:
    """Six encoder layers of width 128."""
    return _task(Pooled(), 16, 32, 128)


def lstm() -> Task:
    """Two layers of 128 units over 32 steps of time."""
    return _task(Recurrent(), 16, 32, 32)


TASKS: dict[str, Callable[[], Task]] = {
    "small MLP": small_mlp,
    "MLP, 50 layers": deep_mlp,
    "ResNet-18, 32x32": resnet18,
    "transformer, 6 layers": transformer,
    "LSTM": lstm,
}
