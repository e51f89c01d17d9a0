"""The snippets of `recipes/learning_rate.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import pytest
import torch

from tests.recipes.script import (
    apply,
    digits_script,
    train,
)


def test_lower_learning_rate() -> None:
    """The loss, which rose at the old rate, falls."""
    before = train(digits_script(rate=10.0), 20)
    torch.manual_seed(0)
    script = apply("lower-learning-rate", digits_script(rate=10.0))
    losses = train(script, 20)
    assert max(before) > 3 * before[0]
    assert losses[-1] < 2.0


def test_raise_learning_rate() -> None:
    """The loss, which stood still at the old rate, drops."""
    script = digits_script(rate=0.02)
    before = train(script, 100)
    script = apply("raise-learning-rate", digits_script(rate=0.02))
    after = train(script, 100)
    assert before[0] - before[-1] < 0.4
    assert after[0] - after[-1] > 1.0


def test_find_learning_rate() -> None:
    """The best of the rates is set, and the search leaves the model as it was."""
    script = digits_script(rate=1e-9)
    before = script["model"][0].weight.clone()
    apply("find-learning-rate", script)
    assert script["optimizer"].param_groups[0]["lr"] == script["best_rate"] == 0.1
    assert torch.equal(before, script["model"][0].weight)


def test_warm_up() -> None:
    """The rate grows from almost nothing to its value, and stays there."""
    script = apply("warm-up", digits_script(rate=0.1))
    assert script["optimizer"].param_groups[0]["lr"] == pytest.approx(0.1 * (1 + 499 * 5 / 500) / 500)
    for _ in range(600):
        script["optimizer"].step()
        script["schedule"].step()
    assert script["optimizer"].param_groups[0]["lr"] == pytest.approx(0.1)
