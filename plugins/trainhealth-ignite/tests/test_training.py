"""The handler in real trainings: what the log holds, what it leaves alone, and how it ends one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events, create_supervised_evaluator, create_supervised_trainer
from ignite.metrics import Accuracy, Loss
from torch import nn

import trainhealth
from trainhealth_ignite import TrainHealthHandler

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ignite's own calls of torch
BATCH, BATCHES = 10, 6
CLIP = 1e-3  # what gradients are clipped to


class Run:
    """A classifier trained for two epochs, with a validation after each; it remembers what Ignite computed."""

    def __init__(self, run_dir: Path | None, *, accumulate: int = 1, poisoned: int = -1, **options: Any) -> None:
        torch.manual_seed(7)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self.losses: list[float] = []
        self.validated: list[float] = []

        def criterion(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            loss = nn.functional.cross_entropy(outputs, targets)
            return loss * float("nan") if len(self.losses) == poisoned and self.model.training else loss

        self.trainer = create_supervised_trainer(
            self.model, optimizer, criterion, gradient_accumulation_steps=accumulate
        )
        self.evaluator = create_supervised_evaluator(self.model, {"nll": Loss(criterion), "accuracy": Accuracy()})
        inputs = torch.randn(BATCHES, BATCH, 4)
        data = [(batch, batch[:, :3].argmax(1)) for batch in inputs]
        if run_dir is not None:
            handler = TrainHealthHandler(self.model, optimizer, run_dir, **options)
            handler.attach(self.trainer, validation=self.evaluator)

        @self.trainer.on(Events.ITERATION_COMPLETED)
        def remember(engine: Engine) -> None:
            self.losses.append(engine.state.output)

        @self.trainer.on(Events.EPOCH_COMPLETED)
        def validate() -> None:
            self.evaluator.run(data[:2])
            self.validated.append(self.evaluator.state.metrics["nll"])

        self.trainer.run(data, max_epochs=2)


def view(tmp_path: Path) -> Any:
    return trainhealth.load(tmp_path / "run").view


def test_steps_losses_and_validation_are_ignites_own(tmp_path: Path) -> None:
    """One step an iteration; the evaluator's metrics are those of the validation."""
    done = Run(tmp_path / "run")
    run = view(tmp_path)
    assert list(run.series("train_loss").steps) == list(range(done.trainer.state.iteration)) == list(range(12))
    assert run.series("train_loss").values == pytest.approx(done.losses, rel=1e-8)
    assert run.series("validation_loss").values == pytest.approx(done.validated, rel=1e-8)
    assert len(run.series("validation_accuracy")) == 2
    assert len(run.epochs) == 2
    assert run.info.total_steps == 12
    assert run.ended == "closed"


def test_watching_changes_no_bit(tmp_path: Path) -> None:
    """Weights and losses are the same without the handler."""
    with_it, without = Run(tmp_path / "run"), Run(None)
    assert with_it.losses == without.losses
    assert all(map(torch.equal, with_it.model.state_dict().values(), without.model.state_dict().values()))
    assert not with_it.model._forward_pre_hooks


def test_accumulated_batches_are_one_step_with_their_mean_loss(tmp_path: Path) -> None:
    """It has the number of its first iteration."""
    done = Run(tmp_path / "run", accumulate=3)
    losses = view(tmp_path).series("train_loss")
    assert list(losses.steps) == [0, 3, 6, 9]
    assert losses.values == pytest.approx([sum(done.losses[at : at + 3]) / 3 for at in range(0, 12, 3)], rel=1e-6)


def test_clipping_and_autocast_in_the_process_function(tmp_path: Path) -> None:
    """Ignite leaves both to it: gradients are those before clipping, the loss is the one that it returned."""
    torch.manual_seed(7)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    losses: list[float] = []

    def process(engine: Engine, batch: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            outputs = model(batch)
            loss = nn.functional.cross_entropy(outputs, batch[:, :3].argmax(1))
        assert outputs.dtype is torch.bfloat16
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        losses.append(loss.item())
        return loss

    trainer = Engine(process)
    TrainHealthHandler(model, optimizer, tmp_path / "run", overhead=1.0).attach(trainer)
    trainer.run(torch.randn(BATCHES, BATCH, 4), max_epochs=2)
    run = view(tmp_path)
    assert run.series("train_loss").values == pytest.approx(losses, rel=1e-6)
    assert run.series("gradient_norm").values.min() > 10 * CLIP
    assert run.series("clipped_gradient_norm").values == pytest.approx(CLIP, rel=1e-2)


def test_a_nan_ends_the_run_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In Ignite's own way, at the iteration of the NaN, and it says why."""
    done = Run(tmp_path / "run", poisoned=2, stop_on="critical")
    assert done.trainer.state.iteration == 3
    assert "trainhealth: training ends at iteration 3: " in capsys.readouterr().err
    assert view(tmp_path).ended == "closed"


def test_an_exception_comes_through(tmp_path: Path) -> None:
    """An engine with a handler of its exceptions would swallow them; what was logged before is there."""

    def process(engine: Engine, batch: Any) -> float:
        if engine.state.iteration == 3:
            raise RuntimeError("no more")
        return 1.0

    trainer = Engine(process)
    TrainHealthHandler(nn.Linear(2, 1), None, tmp_path / "run").attach(trainer)
    with pytest.raises(RuntimeError, match="no more"):
        trainer.run([1, 2, 3])
    assert list(view(tmp_path).series("train_loss").values) == [1.0, 1.0]


def test_an_interrupted_run_goes_on_in_the_same_log(tmp_path: Path) -> None:
    """Ignite's `interrupt` is a pause, and the next `run` goes on with the next iteration."""

    def process(engine: Engine, batch: Any) -> float:
        if engine.state.iteration == 2:
            engine.interrupt()
        return float(engine.state.iteration)

    trainer = Engine(process)
    TrainHealthHandler(nn.Linear(2, 1), None, tmp_path / "run").attach(trainer)
    trainer.run([1, 2, 3])
    trainer.run([1, 2, 3])
    run = view(tmp_path)
    assert list(run.series("train_loss").values) == [1.0, 2.0, 3.0]
    assert run.ended == "closed"
