"""The snippets of `recipes/schedules.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from tests.recipes.script import Names, apply, digits_script, paste


class RecordingSGD(torch.optim.SGD):
    """SGD that keeps the rate of each of its steps."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.rates: list[float] = []
        super().__init__(*args, **kwargs)

    def step(self, closure: Any = None) -> None:
        """Step, and note the rate."""
        self.rates.append(self.param_groups[0]["lr"])
        super().step(closure)


def rates(recipe: str) -> list[float]:
    """The rates at which the snippet's loop steps, from 0.1 on."""
    script: Names = digits_script()
    script["optimizer"] = RecordingSGD(script["model"].parameters(), lr=0.1)
    seen = script["optimizer"].rates
    paste(recipe, script)
    return list(seen)


def test_learning_rate_schedule() -> None:
    """A line up, half of a cosine down, and the loss goes on falling to the end."""
    seen = rates("learning-rate-schedule")
    assert seen[0] == pytest.approx(0.01)
    assert max(seen) == seen[10] == pytest.approx(0.1)
    assert seen[105] == pytest.approx(0.05, rel=1e-3)  # the middle of the cosine
    assert seen[-1] < 1e-4
    apply("learning-rate-schedule", digits_script())


def test_step_decay() -> None:
    """A tenth after 30, 60 and 90 epochs."""
    seen = rates("step-decay")
    assert [seen[0], seen[30], seen[60], seen[90]] == pytest.approx([0.1, 0.01, 0.001, 0.0001])
    assert seen[29] == pytest.approx(0.1)


def test_decay_on_plateau() -> None:
    """The rate falls when the model has stopped to get better, and not before."""
    script = digits_script(rate=3.0)
    paste("decay-on-plateau", script)
    assert script["optimizer"].param_groups[0]["lr"] < 0.5
    script = digits_script(rate=0.05)  # still getting better at the end
    paste("decay-on-plateau", script)
    assert script["optimizer"].param_groups[0]["lr"] == 0.05


def test_linear_decay() -> None:
    """The formula of the lecture, at each step: (1 - a) eps_0 + a eps_tau, and 1 % at the end."""
    seen = rates("linear-decay")
    shares = [min(1, step / 150) for step in range(200)]
    assert seen == pytest.approx([(1 - a) * 0.1 + a * 0.001 for a in shares])


def test_exponential_decay() -> None:
    """The formula of the lecture at each epoch: a tenth of the rate after 46."""
    seen = rates("exponential-decay")
    assert seen == pytest.approx([0.1 * math.exp(-0.05 * epoch) for epoch in range(100)])
    assert seen[46] == pytest.approx(0.01, rel=0.01)
    apply("exponential-decay", digits_script())


def test_inverse_square_root_decay() -> None:
    """The peak at the end of the warm-up, and a third of it after nine times as many steps."""
    seen = rates("inverse-square-root-decay")
    assert max(seen) == seen[9] == pytest.approx(0.1)
    assert seen[89] == pytest.approx(0.1 / 3)
