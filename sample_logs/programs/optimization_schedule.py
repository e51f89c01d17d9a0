"""Learning-rate schedules that do harm: cut too early, not warmed up, driven to nothing."""

from __future__ import annotations

import math
from functools import partial

from torch.optim.lr_scheduler import LambdaLR, MultiStepLR, StepLR

from programs.loss import Program, pair


def inverse_root(step: int, warm_up: int) -> float:
    """Return the share of the rate: a linear rise over `warm_up` steps, then one over the root of the step."""
    return min((step + 1) / warm_up / math.sqrt(warm_up), 1 / math.sqrt(step + 1))


COLD, WARM = partial(inverse_root, warm_up=1), partial(inverse_root, warm_up=400)

PAIRS = (
    pair(
        "decayed-too-early",
        "the rate is cut to a hundredth after 40 steps, in the midst of the fall",
        Program(scheduler=partial(MultiStepLR, milestones=[40], gamma=0.01)),
        Program(scheduler=partial(MultiStepLR, milestones=[300, 400])),
    ),
    pair(
        "missing-warmup",
        "an inverse-square-root schedule begins without its warm-up, at a rate of 0.3",
        Program(optimizer="Adam", learning_rate=0.3, scheduler=partial(LambdaLR, lr_lambda=COLD)),
        Program(optimizer="Adam", learning_rate=0.3, scheduler=partial(LambdaLR, lr_lambda=WARM)),
    ),
    pair(
        "collapsed-learning-rate",
        "a scheduler that is meant to be stepped once an epoch is stepped once a batch",
        Program(scheduler=partial(StepLR, step_size=8, gamma=0.5)),
        Program(scheduler=partial(StepLR, step_size=8 * 29, gamma=0.5)),
    ),
)
