"""The data sets: scikit-learn's own, generated ones, and text; small enough that a training takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pydoc_data.topics import topics

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor

TEXT_WINDOW = 16  # characters that a language model sees at once


@dataclass(frozen=True)
class Data:
    """A data set, split: `inputs` [N, …] (floats or tokens), `targets` [N] classes, [N, k] values or [N, T] tokens."""

    task: str  # "classification", "regression", "language", "reconstruction", "adversarial"
    inputs: Tensor
    targets: Tensor
    validation_inputs: Tensor
    validation_targets: Tensor
    outputs: int  # classes, or values an example
    chance: float  # validation loss of a model that knows nothing (cross entropy in nats, mean squared error)

    @property
    def tabular(self) -> bool:
        """Whether an example is a row of features."""
        return self.inputs.dim() == 2 and self.inputs.is_floating_point() and self.task != "adversarial"

    @property
    def shares(self) -> Tensor:
        """The classes' shares of the training targets [outputs], one example each added."""
        counts = torch.bincount(self.targets.flatten(), minlength=self.outputs).float() + 1
        return counts / counts.sum()


def _split(task: str, inputs: Tensor, targets: Tensor, outputs: int, seed: int = 0) -> Data:
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(seed))
    inputs, targets = inputs[order], targets[order]
    cut = len(inputs) * 4 // 5
    held = targets[cut:]
    if task in ("regression", "reconstruction", "adversarial"):
        chance = float(((held - targets[:cut].mean(0)) ** 2).mean())
    else:
        chance = guessing(targets[:cut], held, outputs)
    return Data(task, inputs[:cut], targets[:cut], inputs[cut:], held, outputs, chance)


def guessing(targets: Tensor, held: Tensor, classes: int) -> float:
    """Return the cross entropy (nats) of held targets for who knows the classes' shares of the targets, and no more."""
    shares = torch.bincount(targets.flatten(), minlength=classes).float()
    return float(-((shares / shares.sum() + 1e-9).log())[held.flatten()].mean())


def _standardized(values: np.ndarray) -> Tensor:
    return torch.tensor((values - values.mean(0)) / (values.std(0) + 1e-8), dtype=torch.float32)


def _classes(load: Callable[..., tuple[np.ndarray, np.ndarray]]) -> Data:
    inputs, labels = load(return_X_y=True)
    return _split("classification", _standardized(inputs), torch.tensor(labels), int(labels.max()) + 1)


def _digits() -> Data:
    images, labels = datasets.load_digits(return_X_y=True)
    inputs = torch.tensor(images / 8.0 - 0.6, dtype=torch.float32).view(-1, 1, 8, 8)
    return _split("classification", inputs, torch.tensor(labels), 10)


def _bars() -> Data:
    """Images of bars in one of six directions under noise."""
    random = np.random.default_rng(3)
    labels = random.integers(0, 6, 1500)
    grid = np.stack(np.meshgrid(np.arange(12), np.arange(12)), -1) - 5.5
    angles = labels * np.pi / 6
    distance = grid[None] @ np.stack([np.cos(angles), np.sin(angles)], -1)[:, None, :, None]
    images = (np.abs(distance[..., 0] - random.normal(0, 1.5, (1500, 1, 1))) < 1.2) + random.normal(
        0, 0.6, (1500, 12, 12)
    )
    return _split(
        "classification", torch.tensor(images - images.mean(), dtype=torch.float32)[:, None], torch.tensor(labels), 6
    )


def _spirals() -> Data:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 1200)
    radius = random.uniform(0.2, 1, 1200)
    angle = 4 * radius + labels * 2 * np.pi / 3 + random.normal(0, 0.12, 1200)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
    return _split("classification", torch.tensor(2 * points, dtype=torch.float32), torch.tensor(labels), 3)


def _blobs() -> Data:
    inputs, labels = datasets.make_classification(
        2000, 20, n_informative=10, n_redundant=4, n_classes=4, class_sep=1.5, random_state=1
    )
    return _split("classification", _standardized(inputs), torch.tensor(labels), 4)


def _diabetes() -> Data:
    inputs, values = datasets.load_diabetes(return_X_y=True)
    return _split("regression", _standardized(inputs), _standardized(values)[:, None], 1)


def _friedman() -> Data:
    inputs, values = datasets.make_friedman1(1500, 10, noise=0.5, random_state=0)
    return _split("regression", _standardized(inputs), _standardized(values)[:, None], 1)


def _circuits() -> Data:
    inputs, values = datasets.make_friedman2(1500, noise=20.0, random_state=0)
    return _split("regression", _standardized(inputs), _standardized(values)[:, None], 1)


def _waves() -> Data:
    """Noisy waves: which of four frequencies."""
    random = np.random.default_rng(2)
    labels = random.integers(0, 4, 1200)
    time = np.arange(24)[None]
    phase = random.uniform(0, 2 * np.pi, (1200, 1))
    waves = np.sin((labels[:, None] + 1) * time * 0.35 + phase) + random.normal(0, 0.4, (1200, 24))
    return _split("classification", torch.tensor(waves, dtype=torch.float32)[..., None], torch.tensor(labels), 4)


def _descriptions() -> str:
    """Return what scikit-learn tells of the data that it ships."""
    loaders = (datasets.load_digits, datasets.load_wine, datasets.load_breast_cancer, datasets.load_diabetes)
    return "".join(load().DESCR for load in loaders)


def _manual() -> str:
    """Return a piece of the manual that Python ships."""
    return "".join(topics[name] for name in sorted(topics))[:12_000]


def _text(text: str) -> Data:
    """Characters, each to be followed by the next."""
    letters = sorted(set(text))
    codes = torch.tensor([letters.index(letter) for letter in text])
    windows = codes.unfold(0, TEXT_WINDOW + 1, 5)
    return _split("language", windows[:, :-1].contiguous(), windows[:, 1:].contiguous(), len(letters))


def _points(points: np.ndarray) -> Data:
    inputs = torch.tensor(points, dtype=torch.float32)
    return _split("adversarial", inputs, inputs, 2)


def _ring() -> np.ndarray:
    """Eight heaps on a circle."""
    random = np.random.default_rng(5)
    angles = random.integers(0, 8, 2000) * np.pi / 4
    return 1.5 * np.stack([np.cos(angles), np.sin(angles)], -1) + random.normal(0, 0.1, (2000, 2))


def _reconstruction(rows: np.ndarray) -> Data:
    inputs = torch.tensor(rows, dtype=torch.float32)
    return _split("reconstruction", inputs, inputs, inputs.shape[1])


_LOADERS: dict[str, Callable[[], Data]] = {
    "digits": _digits,
    "bars": _bars,
    "wine": lambda: _classes(datasets.load_wine),
    "cancer": lambda: _classes(datasets.load_breast_cancer),
    "blobs": _blobs,
    "spirals": _spirals,
    "diabetes": _diabetes,
    "friedman": _friedman,
    "circuits": _circuits,
    "waves": _waves,
    "text": lambda: _text(_descriptions()),
    "manual": lambda: _text(_manual()),
    "ring": lambda: _points(_ring()),
    "moons": lambda: _points(datasets.make_moons(2000, noise=0.1, random_state=0)[0]),
    "digits-again": lambda: _reconstruction(datasets.load_digits(return_X_y=True)[0] / 8.0 - 0.6),
    "blobs-again": lambda: _reconstruction(_blobs().inputs.numpy()),
}
NAMES = tuple(_LOADERS)


@cache
def load(name: str) -> Data:
    """Return the data set of that name."""
    return _LOADERS[name]()
