"""What the sinks hand on: every value once, at its step, and every finding once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import trainhealth
from trainhealth_sinks import TensorBoardSink, WandbSink


class Writer:
    """Remembers what it is given, as TensorBoard's writer and as W&B's run."""

    def __init__(self) -> None:
        self.scalars: list[tuple[str, float, int]] = []
        self.texts: list[str] = []
        self.rows: list[dict[str, Any]] = []

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        self.scalars.append((tag, scalar_value, global_step))

    def add_text(self, tag: str, text_string: str, global_step: int) -> None:
        self.texts.append(tag)

    def log(self, data: Mapping[str, Any]) -> None:
        self.rows.append(dict(data))

    def define_metric(self, name: str, step_metric: str) -> None:
        assert (name, step_metric) == ("trainhealth/*", "trainhealth/step")


class Training:
    """A small regression that is trained by portions."""

    def __init__(self, run_dir: Path) -> None:
        torch.manual_seed(1)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)
        self.watch = trainhealth.watch(self.model, self.optimizer, run_dir=run_dir)
        self.losses: list[float] = []

    def steps(self, count: int, *, poisoned: bool = False) -> None:
        for _ in range(count):
            loss = self.model(torch.ones(8, 4)).square().mean() * (float("nan") if poisoned else 1.0)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.watch.step(loss)
            self.losses.append(loss.item())
        self.watch.epoch(validation_loss=0.5)


@pytest.fixture
def training(tmp_path: Path) -> Any:
    made = Training(tmp_path / "run")
    yield made
    made.watch.close()


def test_every_value_is_passed_on_once(training: Training) -> None:
    """Also what comes between two looks."""
    writer = Writer()
    sink = TensorBoardSink(training.watch.run_dir, writer)
    for _ in range(2):
        training.steps(5)
        sink.update()
    losses = [(step, value) for name, value, step in writer.scalars if name == "trainhealth/train_loss"]
    assert [step for step, _ in losses] == list(range(10))
    assert [value for _, value in losses] == pytest.approx(training.losses, rel=1e-8)
    assert len(writer.scalars) == len({(name, step) for name, _, step in writer.scalars})


def test_signals_of_parameters_and_layers_have_a_chart_each(training: Training) -> None:
    """Named by signal and place."""
    writer = Writer()
    training.steps(5)
    TensorBoardSink(training.watch.run_dir, writer).update()
    names = {name for name, _, _ in writer.scalars}
    assert {"trainhealth/update_ratio/0.weight", "trainhealth/activation_std/2", "trainhealth/validation_loss"} <= names


def test_a_finding_is_told_once(training: Training) -> None:
    """When it appears."""
    writer = Writer()
    sink = TensorBoardSink(training.watch.run_dir, writer)
    training.steps(3)
    sink.update()
    assert writer.texts == []
    training.steps(3, poisoned=True)
    sink.update()
    sink.update()
    assert writer.texts.count("trainhealth/findings/nonfinite-loss") == 1


def test_a_run_of_wandbs_gets_rows_over_an_axis_of_their_own(training: Training) -> None:
    """Its own step is left to the user."""
    run = Writer()
    training.steps(5)
    WandbSink(training.watch.run_dir, run).update()
    rows = [row for row in run.rows if "trainhealth/train_loss" in row]
    assert [row["trainhealth/step"] for row in rows] == list(range(5))


def test_tensorboard_reads_what_its_writer_was_given(training: Training, tmp_path: Path) -> None:
    """The real writer takes it, and the event files hold the values."""
    pytest.importorskip("tensorboard", reason="tensorboard is not installed: pip install tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    training.steps(5)
    with SummaryWriter(str(tmp_path / "events")) as writer:
        TensorBoardSink(training.watch.run_dir, writer).update()
    series = trainhealth.load(tmp_path / "events").view.scalars
    assert any(len(values) == 5 for name, values in series.items() if "train_loss" in name)
