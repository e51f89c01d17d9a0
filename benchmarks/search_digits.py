"""Whether the next range of `trainhealth sweep` pays: searches of a small net on the digits, in two stages.

    python -m benchmarks.search_digits [SEARCHES] [TRIALS]

A first stage draws rate, weight decay, width and dropout from wide ranges, and trains each trial for 150 steps. Then
as many trials again: once from the next ranges, once from the old ones. Printed are the median and the best validation
accuracy of the first stage, of the second in the next ranges, and of the second in the old ones, and what matters.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from trainhealth.search.analysis import Search
from trainhealth.search.ranges import NextRange
from trainhealth.search.trials import Trial, Trials, Value

WIDE = {
    "lr": NextRange("lr", "log-uniform", 1e-5, 10.0),
    "weight_decay": NextRange("weight_decay", "log-uniform", 1e-7, 1e-1),
    "width": NextRange("width", "whole", 4, 64),
    "dropout": NextRange("dropout", "uniform", 0.0, 0.8),
}
STEPS, BATCH = 150, 64
OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.AdamW}


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Return the images [1797, 64], scaled to 0 to 1, and their labels [1797], shuffled."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    return torch.tensor(images[order] / 16, dtype=torch.float32), torch.tensor(labels[order])


def trained(settings: Mapping[str, float], optimizer: str, seed: int) -> float:
    """Return the validation accuracy after a short training; NaN where the loss is not finite."""
    inputs, targets = digits()
    torch.manual_seed(seed)
    width = int(settings["width"])
    model = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Dropout(settings["dropout"]), nn.Linear(width, 10))
    steps = OPTIMIZERS[optimizer](model.parameters(), lr=settings["lr"], weight_decay=settings["weight_decay"])
    for _ in range(STEPS):
        batch = torch.randint(0, 1200, (BATCH,))
        loss = nn.functional.cross_entropy(model(inputs[batch]), targets[batch])
        steps.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        steps.step()
    model.eval()
    with torch.no_grad():
        right = (model(inputs[1200:]).argmax(1) == targets[1200:]).float().mean()
    return float(right) if torch.isfinite(loss) else float("nan")


def drawn(ranges: Mapping[str, NextRange], random: np.random.Generator) -> dict[str, Value]:
    """Return one trial's settings from the ranges."""
    settings: dict[str, Value] = {}
    for name, coming in ranges.items():
        if coming.choices:
            settings[name] = coming.choices[0]
            continue
        low, high = coming.low or 0.0, coming.high or 0.0
        if coming.how == "log-uniform":
            settings[name] = float(low * (high / low) ** random.random())
        else:
            settings[name] = float(random.uniform(low, high))
    return settings


def stage(ranges: Mapping[str, NextRange], optimizer: str, count: int, seed: int) -> Trials:
    """Return the trials of a random search."""
    random = np.random.default_rng(seed)
    trials = []
    for number in range(count):
        settings = drawn(ranges, random)
        settings["width"] = float(round(float(settings["width"] or 0)))
        numbers = {name: float(value or 0.0) for name, value in settings.items()}
        trials.append(Trial(str(number), settings, trained(numbers, optimizer, number)))
    return Trials(tuple(trials), "validation_accuracy", True)


def main(searches: int, count: int) -> None:
    """Print a line a search."""
    torch.set_num_threads(1)
    for seed in range(searches):
        for optimizer in OPTIMIZERS:
            first = stage(WIDE, optimizer, count, seed)
            search = Search(first)
            second = stage(search.next_ranges, optimizer, count, 1000 + seed)
            again = stage(WIDE, optimizer, count, 1000 + seed)
            rate = search.next_ranges["lr"]
            results = "  ".join(
                f"{np.nanmedian(one.scores):.3f} {np.nanmax(one.scores):.3f}" for one in (first, second, again)
            )
            matters = ", ".join(search.mattering)
            print(f"{optimizer:5} {seed:2}  {results}  lr {rate.low} to {rate.high}; matter: {matters}", flush=True)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3] or ("5", "30")))
