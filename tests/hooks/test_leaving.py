"""Taking the hooks off while torch goes through them: the training notices nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import trainhealth


@pytest.mark.parametrize("kind", ["register_step_pre_hook", "register_step_post_hook"])
def test_closing_in_a_hook_of_the_optimizer(tmp_path: Path, kind: str) -> None:
    """Hooks behind the one that closes still run, and so do later updates; ours do nothing any more."""
    torch.manual_seed(0)
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = trainhealth.watch(model, optimizer, run_dir=tmp_path / "run")
    register: Callable[[Callable[..., None]], Any] = getattr(optimizer, kind)
    behind: list[int] = []
    steps = [0]

    def close(*_: Any) -> None:
        if steps[0] == 2:
            watch.close()

    register(close)
    register(lambda *_: behind.append(steps[0]))
    for _ in range(5):
        loss = model(torch.ones(3, 2)).sum()
        loss.backward()
        optimizer.step()
        if steps[0] < 2:
            watch.step(loss)
        steps[0] += 1
    assert behind == [0, 1, 2, 3, 4]
    view = trainhealth.load(tmp_path / "run").view
    assert view.ended == "closed"
    assert len(view.series("train_loss")) == 2
    hooks = (*optimizer._optimizer_step_pre_hooks.values(), *optimizer._optimizer_step_post_hooks.values())
    assert not [hook for hook in hooks if type(getattr(hook, "__self__", None)).__module__.startswith("trainhealth")]
    trainhealth.watch(nn.Linear(2, 1), run_dir=tmp_path / "next").close()
    assert len((*optimizer._optimizer_step_pre_hooks, *optimizer._optimizer_step_post_hooks)) == 2  # those of this test


def test_closing_outside_leaves_no_hook(tmp_path: Path) -> None:
    """As everywhere else."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    trainhealth.watch(model, optimizer, run_dir=tmp_path / "run").close()
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks
