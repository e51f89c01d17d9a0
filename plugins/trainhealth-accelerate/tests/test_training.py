"""The tracker in real training loops: what the log holds, what it leaves alone, and how it ends one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn

import trainhealth
from trainhealth_accelerate import TrainHealthTracker

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # Accelerate's own calls
EXAMPLES, BATCH = 60, 10


def train(
    tracker: TrainHealthTracker | None,
    *,
    accumulate: int = 1,
    poisoned: int = -1,
    clip: float | None = None,
    mixed_precision: str = "no",
) -> tuple[nn.Module, list[float]]:
    """Train for two epochs, with a validation after each; return the model and its raw losses."""
    torch.manual_seed(7)
    AcceleratorState._reset_state()  # it would keep the first precision for the whole process
    accelerator = Accelerator(
        cpu=True, log_with=tracker, gradient_accumulation_steps=accumulate, mixed_precision=mixed_precision
    )
    accelerator.init_trackers("project", config={"rate": 0.01})
    model: Any = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer: Any = torch.optim.Adam(model.parameters(), lr=0.01)
    inputs = torch.randn(EXAMPLES, 4)
    loader: Any = torch.utils.data.DataLoader(inputs, batch_size=BATCH)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    if tracker is not None:
        tracker.watch(model, optimizer)
    losses: list[float] = []
    for _ in range(2):
        for batch in loader:
            with accelerator.accumulate(model):
                loss = nn.functional.mse_loss(model(batch), batch.sum(1, keepdim=True))
                if len(losses) == poisoned:
                    loss = loss * float("nan")
                accelerator.backward(loss)
                if clip is not None and accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(model.parameters(), clip)
                optimizer.step()
                optimizer.zero_grad()
            losses.append(loss.item())
            accelerator.log({"train_loss": loss})
            if tracker is not None and tracker.should_stop:
                accelerator.end_training()
                return model, losses
        accelerator.log({"val_loss": 0.5, "f1": 0.25})
    accelerator.end_training()
    return model, losses


def view(tmp_path: Path) -> Any:
    return trainhealth.load(tmp_path / "run").view


def test_what_is_logged_becomes_steps_and_evaluations(tmp_path: Path) -> None:
    """A training loss ends a step; the configuration is kept."""
    _, losses = train(TrainHealthTracker(tmp_path / "run"))
    run = view(tmp_path)
    assert list(run.series("train_loss").steps) == list(range(12))
    assert run.series("train_loss").values == pytest.approx(losses, rel=1e-8)
    assert list(run.series("validation_loss").values) == [0.5, 0.5]
    assert list(run.series("f1").values) == [0.25, 0.25]
    assert run.info.hyperparameters == {"rate": 0.01}
    assert run.facts["loss_function"] == "mse"
    assert run.ended == "closed"


def test_watching_changes_no_bit(tmp_path: Path) -> None:
    """Weights and losses are the same without the tracker."""
    with_it, losses = train(TrainHealthTracker(tmp_path / "run"))
    without, plain = train(None)
    assert losses == plain
    assert all(map(torch.equal, with_it.state_dict().values(), without.state_dict().values()))
    assert not with_it._forward_pre_hooks


def test_accumulated_batches_are_one_step(tmp_path: Path) -> None:
    """Accelerate leaves the optimizer's step out until the last of them."""
    _, losses = train(TrainHealthTracker(tmp_path / "run"), accumulate=3)
    means = [sum(losses[at : at + 3]) / 3 for at in range(0, 12, 3)]
    assert view(tmp_path).series("train_loss").values == pytest.approx(means, rel=1e-6)


def test_gradients_are_those_before_clipping(tmp_path: Path) -> None:
    """A norm of 1e-3 is what the optimizer gets, not what the loss gives."""
    train(TrainHealthTracker(tmp_path / "run"), clip=1e-3)
    assert view(tmp_path).series("gradient_norm").values.min() > 1e-2


def test_mixed_precision_keeps_the_loss_as_it_was_logged(tmp_path: Path) -> None:
    """In bfloat16, which needs no scale: the model's outputs are float32 again."""
    _, losses = train(TrainHealthTracker(tmp_path / "run"), mixed_precision="bf16")
    run = view(tmp_path)
    assert run.series("train_loss").values == pytest.approx(losses, rel=1e-6)
    assert len(run.series("gradient_norm")) > 2
    assert losses != train(None)[1]  # it was not float32


def test_a_loop_that_asks_ends_at_a_nan(tmp_path: Path) -> None:
    """Accelerate's loops are the user's own: he asks the tracker."""
    _, losses = train(TrainHealthTracker(tmp_path / "run", stop_on="critical"), poisoned=4)
    assert len(losses) == 5


DISTRIBUTED = """
import sys, torch
from accelerate import Accelerator
from trainhealth_accelerate import TrainHealthTracker

torch.set_num_threads(1)
tracker = TrainHealthTracker(sys.argv[1], stop_on="critical")
accelerator = Accelerator(log_with=tracker, cpu=True)
accelerator.init_trackers("project")
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
loader = torch.utils.data.DataLoader(torch.ones(80, 4), batch_size=4)
model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
tracker.watch(model, optimizer)
for step, batch in enumerate(loader):
    loss = model(batch).square().mean()
    if step == 3 and accelerator.process_index == 1:
        loss = loss * float("nan")
    accelerator.backward(loss)
    optimizer.step()
    optimizer.zero_grad()
    accelerator.log({"train_loss": loss})
    if tracker.should_stop:
        accelerator.set_trigger()
    if accelerator.check_trigger():
        break
print("ended at", step)
accelerator.end_training()
"""


@pytest.mark.slow
def test_the_first_rank_is_watched_and_all_end_together(tmp_path: Path) -> None:
    """Accelerate logs on it alone; another's NaN comes to it with the gradients, one step later."""
    script = tmp_path / "train.py"
    script.write_text(DISTRIBUTED)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [sys.executable, *launcher, str(script), str(tmp_path / "run")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.stdout.count("ended at 4") == 2, done.stderr
    run = view(tmp_path)
    assert run.ranks == (0,)
    assert list(run.series("train_loss").steps) == [0, 1, 2, 3, 4]
    assert [layer.name for layer in run.layers] == ["0", "1"]


def test_a_forgotten_watch_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing can be logged before the model is known, and silence would look like a log."""
    tracker = TrainHealthTracker(tmp_path / "run")
    for _ in range(2):
        tracker.log({"train_loss": 1.0})
    assert capsys.readouterr().err.count("tracker.watch(model, optimizer)") == 1
    assert not (tmp_path / "run").exists()
