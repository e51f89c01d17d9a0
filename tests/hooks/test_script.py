"""Scripts in the usual styles, none of which knows of us, train the same to the bit, and their logs tell the truth."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

import trainhealth
from tests.hooks.test_harmless import assert_same
from trainhealth.hooks.script import Script
from trainhealth.series import RunView

SCRIPTS = Path(__file__).parents[1] / "scripts"
STYLES = ["plain_loop", "function_style", "class_style", "gan", "transformer", "truncated_rnn", "accumulation"]
STYLES += ["compiled", "lbfgs", "folds"]


def trained(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a script in `folder`; return what it has saved: weights, losses, the random state."""
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [name])
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")  # an absolute name stands for itself
    return torch.load(folder / "result.pt")


class Observed:
    """A script that was run and watched."""

    def __init__(self, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.script = Script(self._begin)
        try:
            self.result = trained(name, folder, monkeypatch)
        finally:
            self.script.end(None)

    def _begin(self, models: Mapping[str, nn.Module], optimizers: Mapping[str, Any]) -> trainhealth.Watch:
        return trainhealth.watch(models, optimizers, run_dir=self.folder / "run", overhead=1.0)

    @property
    def views(self) -> list[RunView]:
        return [trainhealth.load(folder).view for folder in self.script.folders]

    @property
    def view(self) -> RunView:
        (view,) = self.views
        return view


@pytest.mark.filterwarnings("default")  # the compiler of torch warns of itself
@pytest.mark.parametrize("name", STYLES)
def test_results_are_the_same_to_the_bit(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights, losses, random state (and the number of compiled graphs) are those of the script alone."""
    patched = [torch.autograd.backward, torch.compile, nn.functional.cross_entropy, torch.optim.Optimizer.__init__]
    bare = trained(name, tmp_path / "bare", monkeypatch)
    watched = Observed(name, tmp_path / "watched", monkeypatch)
    assert_same(bare, watched.result, name)
    for view in watched.views:
        assert not [event for event in view.events if event.event.endswith(("-disabled", "-unseen"))]
        assert len(view.series("train_loss"))
        assert view.columns("update_ratio").steps[0] == 0
    now = [torch.autograd.backward, torch.compile, nn.functional.cross_entropy, torch.optim.Optimizer.__init__]
    assert now == patched
    assert not _global_optimizer_pre_hooks
    assert not _global_optimizer_post_hooks
