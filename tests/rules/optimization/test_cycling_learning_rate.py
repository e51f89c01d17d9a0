"""OP17: fires where a cosine goes up and down within epochs, and not for schedules that are meant to come back."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from trainhealth.findings import NotChecked, Severity
from trainhealth.rules.optimization.cycling_learning_rate import CyclingLearningRate
from trainhealth.testing import check_rule, make_run

EPOCHS, BATCHES = 10, 28
STEPS = EPOCHS * BATCHES


def rates(make, steps=STEPS, every=1, lr=0.1, **settings):
    """Return the rates that torch's scheduler gives when it is stepped after every `every` steps."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)
    scheduler = make(optimizer, **settings)
    values = []
    for step in range(steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if (step + 1) % every == 0:
            scheduler.step()
    return values


def judge(values, epochs=EPOCHS, ended="closed"):
    run = make_run([1.0] * len(values), learning_rate=values, epochs=[{}] * epochs)
    return check_rule(CyclingLearningRate, dataclasses.replace(run, ended=ended))


COSINE = torch.optim.lr_scheduler.CosineAnnealingLR


@pytest.mark.parametrize(("lowest", "half"), [(0.0, 10), (0.001, 10), (0.0, 3), (0.0, 27)])
def test_a_cosine_counted_in_epochs_and_stepped_for_batches(lowest, half):
    """Its half is over before the first epoch is."""
    (found,) = judge(rates(COSINE, T_max=half, eta_min=lowest))
    assert found.severity is Severity.WARNING
    assert f"takes {half} steps down and {half} up; an epoch has 28 steps" in found.message
    assert found.recommendations[0].change.to == STEPS


def test_a_cosine_longer_than_an_epoch_that_counts_the_epochs():
    """Small epochs: a swing takes several of them, but its number of steps gives it away."""
    assert judge(rates(COSINE, steps=1000, T_max=100), epochs=100)
    assert judge(rates(COSINE, steps=1000, T_max=120), epochs=100) == ()
    assert judge(rates(COSINE, steps=1000, T_max=100), epochs=100, ended=None) == ()


def test_three_whole_swings_are_needed():
    """A run that goes on a little beyond T_max is another matter."""
    assert judge(rates(COSINE, steps=6 * 20 + 1, T_max=20), epochs=4)
    assert judge(rates(COSINE, steps=6 * 20, T_max=20), epochs=4) == ()


# --- when it is wrong ---


@pytest.mark.parametrize(
    "values",
    [
        rates(COSINE, every=BATCHES, T_max=EPOCHS),
        rates(COSINE, T_max=STEPS),
        rates(torch.optim.lr_scheduler.CosineAnnealingWarmRestarts, T_0=10),
        rates(torch.optim.lr_scheduler.CyclicLR, base_lr=0.001, max_lr=0.1, step_size_up=10),
        rates(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=STEPS),
        rates(torch.optim.lr_scheduler.StepLR, step_size=30),
        [0.1] * STEPS,
        [0.05 + 0.05 * math.cos(step / 40) for step in range(4000)],
    ],
    ids=["epochs", "steps", "restarts", "triangles", "one-cycle", "step", "constant", "slow"],
)
def test_other_schedules(values):
    """One fall, jumps, straight lines, nothing, and swings that take more than an epoch."""
    assert judge(values, epochs=40 if len(values) > STEPS else EPOCHS) == ()


def test_without_epochs_nothing_is_known():
    """Whether a swing is shorter than an epoch can't be told."""
    assert isinstance(judge(rates(COSINE, T_max=10), epochs=0), NotChecked)
