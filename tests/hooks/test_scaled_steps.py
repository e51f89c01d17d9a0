"""Training under a loss scaler: skipped updates are steps, and gradients are those without the scale."""

from __future__ import annotations

import gc
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.amp import GradScaler

import trainhealth
from trainhealth.series import RunView

STEPS = 7


class Loop:
    """A loop under a scaler in which the gradients of some steps are infinite."""

    def __init__(self, folder: Path, **options: Any) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        fused = options.pop("fused", False)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01, fused=fused)
        self.scaler = GradScaler("cpu", init_scale=1024.0)
        self.watch = trainhealth.watch(
            self.model, self.optimizer, run_dir=folder / "run", **{"overhead": 1.0, **options}
        )
        self.losses: list[float] = []
        self.norms: list[float] = []  # of the true gradient

    def run(self, infinite: set[int], order: str = "after the scaler", micro_batches: int = 1) -> RunView:
        for step in range(STEPS):
            self.optimizer.zero_grad()
            for micro in range(micro_batches):
                loss = self.backward(step in infinite)
                last = micro == micro_batches - 1
                if not last or order == "before the update":
                    self.watch.step(loss)
            self.norms.append(self.norm())
            self.scaler.step(self.optimizer)
            if order == "before the scaler's update":
                self.watch.step(loss)
            self.scaler.update()
            if order == "after the scaler":
                self.watch.step(loss)
        return self.view()

    def backward(self, infinite: bool) -> Tensor:
        loss = self.model(torch.randn(6, 4)).square().mean()
        self.losses.append(loss.item())
        self.scaler.scale(loss * (1e38 if infinite else 1.0)).backward()
        return loss

    def norm(self) -> float:
        gradients = [p.grad.double() / self.scaler.get_scale() for p in self.model.parameters() if p.grad is not None]
        return math.sqrt(sum(float(g.square().sum()) for g in gradients))

    def view(self) -> RunView:
        self.watch.close()
        run = trainhealth.load(self.watch.run_dir).view
        assert not [event for event in run.events if event.event.endswith("disabled")]
        return run


@pytest.fixture(autouse=True)
def _no_scaler_of_another_test() -> None:
    gc.collect()


ORDERS = ["after the scaler", "before the scaler's update", "before the update"]


@pytest.mark.parametrize("order", ORDERS)
def test_a_scaler_that_is_off_is_none(tmp_path: Path, order: str) -> None:
    """Scripts pass ``enabled=False`` where they train in full precision: it has no scale and keeps no stages."""
    loop = Loop(tmp_path)
    loop.scaler = GradScaler("cpu", enabled=False)
    run = loop.run(set(), order)
    assert run.series("gradient_norm").values.tolist() == pytest.approx(loop.norms, rel=1e-4)
    assert len(run.columns("update_ratio").steps) == STEPS
    assert not len(run.skipped_steps)


@pytest.mark.parametrize("options", [{}, {"disk": 1.0}, {"fused": True}], ids=["sampled", "hardly sampled", "fused"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("infinite", [{3}, {0}, {0, 1, 5, 6}, set()], ids=str)
def test_a_skipped_update_is_a_step(tmp_path: Path, infinite: set[int], order: str, options: dict[str, Any]) -> None:
    """Every batch is one step with its own loss, wherever `step` stands; those that the scaler skipped say so."""
    loop = Loop(tmp_path, **options)
    run = loop.run(infinite, order)
    # after the last batch nothing follows that would show what became of a `step` before the update
    seen = STEPS - 1 if order == "before the update" and STEPS - 1 in infinite and not options.get("fused") else STEPS
    assert run.series("train_loss").values.tolist() == pytest.approx(loop.losses[:seen], rel=1e-8)
    assert run.skipped_steps.tolist() == sorted(step for step in infinite if step < seen)


@pytest.mark.parametrize("order", ["after the scaler", "before the update"])
@pytest.mark.parametrize("infinite", [{2}, {0}, set()], ids=str)
def test_micro_batches_under_a_scaler(tmp_path: Path, infinite: set[int], order: str) -> None:
    """Accumulated micro-batches are one step, skipped or not."""
    loop = Loop(tmp_path)
    run = loop.run(infinite, order, micro_batches=2)
    means = [sum(loop.losses[i : i + 2]) / 2 for i in range(0, 2 * STEPS, 2)]
    assert run.series("train_loss").values.tolist() == pytest.approx(means, rel=1e-8)
    assert run.skipped_steps.tolist() == sorted(infinite)


def test_the_scaler_of_another_training_says_nothing(tmp_path: Path) -> None:
    """Accumulation is not taken for a skipped step because some scaler exists."""
    other = Loop(tmp_path / "other")
    other.run({2})
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = trainhealth.watch(model, optimizer, run_dir=tmp_path / "run")
    for batch in range(8):
        loss = model(torch.randn(6, 4)).square().mean()
        loss.backward()
        if batch % 4 == 3:
            optimizer.step()
            optimizer.zero_grad()
        watch.step(loss)
    watch.close()
    assert other.scaler.get_scale() == 512
    run = trainhealth.load(tmp_path / "run").view
    assert len(run.series("train_loss")) == 2
    assert run.skipped_steps.tolist() == []


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("infinite", [{3}, {0}], ids=str)
def test_the_scale_and_the_gradients_without_it(tmp_path: Path, infinite: set[int], fused: bool) -> None:
    """loss_scale is the factor that was in the step's gradients; their norms are those of the true gradients."""
    loop = Loop(tmp_path, fused=fused)
    run = loop.run(infinite)
    [skipped] = infinite
    scales = [1024.0 if step <= skipped else 512.0 for step in range(STEPS)]
    assert run.series("loss_scale").values.tolist() == scales
    finite = [step for step in range(STEPS) if step not in infinite]
    for signal in ("gradient_norm", "clipped_gradient_norm"):
        seen = [run.series(signal).at(step) for step in finite]
        assert seen == pytest.approx([loop.norms[step] for step in finite], rel=1e-3), signal
    assert not math.isfinite(run.series("gradient_norm").at(skipped))


def test_without_a_scaler_there_is_no_scale(tmp_path: Path) -> None:
    """A script in full precision has no loss scale."""
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run") as watch:
        loss = model(torch.randn(6, 4)).mean()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert not trainhealth.load(tmp_path / "run").view.has("loss_scale")
