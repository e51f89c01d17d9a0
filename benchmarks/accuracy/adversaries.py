"""A generator and a discriminator, trained against each other on points of the plane."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn

import trainhealth
from benchmarks.accuracy.data import load

if TYPE_CHECKING:
    from benchmarks.accuracy.program import Program

_NOISE = 8  # values that the generator starts from


def train_adversaries(program: Program, run_dir: Path) -> float:
    """Train and log; return the skill: 1 where generated points are as far from the data as the data among themselves.

    0 is the distance (Szekely and Rizzo's energy distance) of the untrained generator's points.
    """
    torch.manual_seed(program.seed)
    points = load(program.data)
    real, held = points.inputs, points.validation_inputs
    generator, discriminator = _net(_NOISE, program.width, 2), _net(2, program.width, 1)
    optimizers = {
        "generator": torch.optim.Adam(generator.parameters(), program.learning_rate, betas=(0.5, 0.999)),
        "discriminator": torch.optim.Adam(discriminator.parameters(), program.learning_rate, betas=(0.5, 0.999)),
    }
    models = {"generator": generator, "discriminator": discriminator}
    untrained = _distance(generator, held)
    with trainhealth.watch(models, optimizers, run_dir=run_dir, overhead=0.9, disk=400_000) as watch:
        for _ in range(program.epochs):
            for chosen in torch.split(torch.randperm(len(real)), program.batch_size):
                noise = torch.randn(len(chosen), _NOISE)
                optimizers["discriminator"].zero_grad()
                told, taken = discriminator(real[chosen]), discriminator(generator(noise).detach())
                discriminator_loss = _surprise(told, 1.0) + _surprise(taken, 0.0)
                discriminator_loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                optimizers["discriminator"].step()
                optimizers["generator"].zero_grad()
                generator_loss = _surprise(discriminator(generator(noise)), 1.0)
                generator_loss.backward()  # type: ignore[no-untyped-call]
                optimizers["generator"].step()
                watch.step({"generator": generator_loss, "discriminator": discriminator_loss})
            watch.epoch()
    return 1 - _distance(generator, held) / untrained


def _net(inputs: int, width: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.LeakyReLU(0.2),
        nn.Linear(width, width),
        nn.LeakyReLU(0.2),
        nn.Linear(width, outputs),
    )


def _surprise(outputs: Tensor, answer: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(outputs, torch.full_like(outputs, answer))


@torch.no_grad()
def _distance(generator: nn.Module, real: Tensor) -> float:
    made = generator(torch.randn(len(real), _NOISE, generator=torch.Generator().manual_seed(0)))
    return float(2 * torch.cdist(made, real).mean() - torch.cdist(made, made).mean() - torch.cdist(real, real).mean())
