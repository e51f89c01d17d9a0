"""A trainer that keeps to Ultralytics' protocol of callbacks, without its dependencies.

What it has in common with `ultralytics.engine.trainer.BaseTrainer` (8.4): the events and their order, the trainer as
their only argument, the attributes that the adapter reads, losses that are sums over the batch, clipping and
accumulation before an update, a new dictionary of metrics for every validation, one more `on_fit_epoch_end` after the
training, and `stop`. Options stand for what happens to trainings: a NaN and the repeated epoch after it, or running out
of memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import trainhealth_ultralytics

EXAMPLES, BATCH, OBJECTS, MAX_NORM = 48, 8, 13, 10.0


class Detector(nn.Module):
    """Returns, for a dictionary with pictures, its loss: two parts times its size, or a classifier's only one."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names
        self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        errors = (self.net(batch["img"]) - batch["cls"]).square().mean(0)
        if len(self.names) == 1:
            return errors.sum(), {self.names[0]: errors.sum().detach()}
        return errors * len(batch["img"]), dict(zip(self.names, errors.detach(), strict=True))


class FakeTrainer:
    """Trains the detector for some epochs of six batches."""

    def __init__(self, save_dir: Path, epochs: int = 2, **options: Any) -> None:
        torch.manual_seed(7)
        self.save_dir = save_dir
        self.callbacks: dict[str, list[Callable[[Any], None]]] = defaultdict(list)
        self.args = SimpleNamespace(task=options.get("task", "detect"), val=options.get("val", True))
        self.world_size = options.get("world_size", 0)  # 0 on a CPU
        self.epochs, self.start_epoch, self.epoch = epochs, options.get("start_epoch", 0), 0
        self.accumulate = options.get("accumulate", 1)
        self.poisoned = options.get("poisoned", -1)  # batch, of all, with a NaN
        self.out_of_memory = options.get("out_of_memory", -1)
        self.tensor_items = options.get("tensor_items", False)
        self.fails_at = options.get("fails_at", -1)
        self.loss_names = ("loss",) if self.args.task == "classify" else ("box_loss", "cls_loss")
        self.model = Detector(self.loss_names)
        self.optimizer = self.build_optimizer()
        self.scaler = torch.amp.GradScaler("cpu", enabled=options.get("amp", False))
        self.loss: Any = None
        self.loss_items: Any = None
        self.metrics: dict[str, float] | None = {"metrics/mAP50(B)": 0, "val/box_loss": 0}
        self.stop = False
        self.losses: list[dict[str, float]] = []  # of every batch, for the tests
        self.validated: list[dict[str, float]] = []

    def add_callback(self, event: str, callback: Callable[[Any], None]) -> None:
        self.callbacks[event].append(callback)

    def run_callbacks(self, event: str) -> None:
        for callback in self.callbacks[event]:
            callback(self)

    def build_optimizer(self) -> torch.optim.Optimizer:
        biases = [p for name, p in self.model.named_parameters() if name.endswith("bias")]
        weights = [p for name, p in self.model.named_parameters() if not name.endswith("bias")]
        optimizer = torch.optim.SGD(biases, lr=0.002, momentum=0.9)
        optimizer.add_param_group({"params": weights, "lr": 0.001})
        return optimizer

    def train(self) -> None:
        self.run_callbacks("on_train_start")
        last_update, self.epoch = -1, self.start_epoch
        checkpoint: Any = None
        while self.epoch < self.epochs and not self.stop:
            self.run_callbacks("on_train_epoch_start")
            finished = self.train_epoch(last_update)
            if finished is None:
                continue  # begins anew, with another optimizer
            last_update = finished
            self.run_callbacks("on_train_epoch_end")
            if self.args.val or self.epoch + 1 == self.epochs or self.stop:
                self.metrics = self.validate()
            if not self.loss.isfinite() and self.epoch > self.start_epoch:
                self.poisoned = -1
                self.restore(checkpoint)
                continue
            checkpoint = deepcopy((self.model.state_dict(), self.optimizer.state_dict()))
            self.stop |= self.epoch + 1 == self.epochs
            self.run_callbacks("on_fit_epoch_end")
            self.epoch += 1
        self.metrics = self.validate()  # of the best checkpoint
        self.run_callbacks("on_fit_epoch_end")
        self.run_callbacks("on_train_end")
        self.run_callbacks("teardown")

    def restore(self, checkpoint: Any) -> None:
        model, optimizer = checkpoint
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict(optimizer)

    def train_epoch(self, last_update: int) -> int | None:
        for place, batch in enumerate(self.batches()):
            number = place + EXAMPLES // BATCH * self.epoch
            if number == self.fails_at:
                raise RuntimeError("no more")
            self.run_callbacks("on_train_batch_start")
            loss, items = self.model(self.preprocess_batch(batch))
            if number == self.poisoned:
                loss = loss * float("nan")
            self.losses.append({name: float(value) for name, value in items.items()})
            self.loss = loss.sum() * max(self.world_size, 1)
            self.loss_items = torch.stack(list(items.values())) if self.tensor_items else items
            if number == self.out_of_memory:
                self.out_of_memory, self.optimizer = -1, self.build_optimizer()
                return None
            self.scaler.scale(self.loss).backward()
            if number - last_update >= self.accumulate:
                self.optimizer_step()
                last_update = number
            self.run_callbacks("on_train_batch_end")
            if self.stop:
                break
        return last_update

    def optimizer_step(self) -> None:
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.model.parameters(), max_norm=MAX_NORM)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()

    def batches(self) -> list[dict[str, Tensor]]:
        pictures = torch.randn(EXAMPLES, 4, generator=torch.Generator().manual_seed(1))
        objects = torch.full((OBJECTS,), 500.0)  # each has the number of its picture
        return [{"batch_idx": objects, "cls": 9 * part[:, :2], "img": part} for part in pictures.split(BATCH)]

    def preprocess_batch(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return batch

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        _, items = self.model(self.batches()[0])
        metrics = {f"val/{name}": round(float(value), 5) for name, value in items.items()}
        quality = "metrics/accuracy_top1" if self.args.task == "classify" else "metrics/mAP50(B)"
        self.validated.append(metrics)
        return {quality: 0.5, **metrics}


@pytest.fixture
def fake_trainer(tmp_path: Path) -> Callable[..., FakeTrainer]:
    """Make a trainer that nobody watches."""
    return partial(FakeTrainer, tmp_path / "train")


@pytest.fixture
def train(fake_trainer: Callable[..., FakeTrainer]) -> Callable[..., FakeTrainer]:
    """Watch a training, sampling every step, and return its trainer."""

    def trained(stop_on: str | None = None, **options: Any) -> FakeTrainer:
        trainer = fake_trainer(**options)
        trainhealth_ultralytics.watch(trainer, stop_on=stop_on, overhead=1.0)
        trainer.train()
        return trainer

    return trained
