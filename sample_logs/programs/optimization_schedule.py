"""Learning-rate schedules that do harm: cut too early, not warmed up, driven to nothing."""

from __future__ import annotations

import math
from functools import partial

from torch.optim.lr_scheduler import LambdaLR, MultiStepLR, StepLR

from programs.loss import Program, pair

STEPS = 464  # of a run: 16 epochs of 29 batches


def cosine(step: int, warm_up: int) -> float:
    """Return the share of the rate: a linear rise over `warm_up` steps, then half a cosine down to the end."""
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (STEPS - warm_up)))


PAIRS = (
    pair(
        "decayed-too-early",
        "the rate is cut to a hundredth after 40 steps, in the midst of the fall",
        Program(scheduler=partial(MultiStepLR, milestones=[40], gamma=0.01)),
        Program(scheduler=partial(MultiStepLR, milestones=[300, 400])),
    ),
    pair(
        "missing-warmup",
        "a cosine schedule begins at its full, high rate",
        Program(learning_rate=0.3, scheduler=partial(LambdaLR, lr_lambda=partial(cosine, warm_up=0))),
        Program(learning_rate=0.3, scheduler=partial(LambdaLR, lr_lambda=partial(cosine, warm_up=60))),
    ),
    pair(
        "collapsed-learning-rate",
        "a scheduler that is meant to be stepped once an epoch is stepped once a batch",
        Program(scheduler=partial(StepLR, step_size=8, gamma=0.5)),
        Program(scheduler=partial(StepLR, step_size=8 * 29, gamma=0.5)),
    ),
)
