"""The callback in real trainings: what the log holds, what it leaves alone, and how it ends one."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from sklearn.base import clone
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, GradientNormClipping
from skorch.hf import AccelerateMixin
from torch import distributed, nn

import trainhealth
from trainhealth_skorch import TrainHealthCallback

BATCH = 16


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.layers(inputs)  # type: ignore[no-any-return]  # torch says Any


@pytest.fixture(autouse=True)
def _any_precision() -> None:
    """Let each test choose: Accelerate keeps the first choice for the whole process."""
    AcceleratorState._reset_state()


class AcceleratedClassifier(AccelerateMixin, NeuralNetClassifier):  # type: ignore[misc]  # skorch ships no types
    """skorch's way to mixed precision, accumulation and several processes."""


def fit(
    *callbacks: Any, rate: float = 0.1, kind: type[NeuralNetClassifier] = NeuralNetClassifier, **options: Any
) -> NeuralNetClassifier:
    """Return a classifier after three epochs; four fifths of 80 examples are trained on."""
    torch.manual_seed(7)
    inputs = np.random.default_rng(1).normal(size=(80, 4)).astype(np.float32)
    settings = {"criterion": nn.CrossEntropyLoss, "max_epochs": 3, "batch_size": BATCH, "verbose": 0, "lr": rate}
    net = kind(Net, callbacks=list(callbacks), **{**settings, **options})
    return net.fit(inputs, inputs[:, :3].argmax(1))


def batches(net: NeuralNetClassifier, key: str) -> list[float]:
    return [batch[key] for epoch in net.history for batch in epoch["batches"] if key in batch]


def view(tmp_path: Path) -> Any:
    return trainhealth.load(tmp_path / "run").view


def test_steps_losses_and_validation_are_skorchs_own(tmp_path: Path) -> None:
    """One step a training batch; the epoch's scores are the validation."""
    net = fit(TrainHealthCallback(tmp_path / "run"))
    run = view(tmp_path)
    assert list(run.series("train_loss").steps) == list(range(12))
    assert run.series("train_loss").values == pytest.approx(batches(net, "train_loss"), rel=1e-8)
    assert run.series("validation_loss").values == pytest.approx(net.history[:, "valid_loss"], rel=1e-8)
    assert run.series("validation_accuracy").values == pytest.approx(net.history[:, "valid_acc"], rel=1e-8)
    assert run.facts["task"] == "classification"
    assert run.series("train_accuracy").steps[0] == 0  # and further ones as the budget of time allows
    assert run.ended == "closed"


def test_watching_changes_no_bit(tmp_path: Path) -> None:
    """Weights and losses are the same without the callback."""
    with_it, without = fit(TrainHealthCallback(tmp_path / "run")), fit()
    assert batches(with_it, "train_loss") == batches(without, "train_loss")
    states = with_it.module_.state_dict().values(), without.module_.state_dict().values()
    assert all(map(torch.equal, *states))
    assert not any(module._forward_pre_hooks for module in with_it.module_.modules())


def test_a_nan_ends_the_training_at_the_end_of_the_epoch_where_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As early stopping does: fit returns, and it says why."""
    net = fit(TrainHealthCallback(tmp_path / "run", stop_on="critical"), rate=1e30)
    assert len(net.history) == 1
    assert "trainhealth: training ends after epoch 1: " in capsys.readouterr().err
    assert view(tmp_path).ended == "closed"


def test_ranks_end_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A healthy one ends where another asks for it, which would be waited for."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    answers: list[bool] = []

    def all_gather_object(gathered: list[Any], asked: bool) -> None:
        answers.append(asked)
        gathered[:] = [asked, len(answers) == 2]

    monkeypatch.setattr(distributed, "all_gather_object", all_gather_object)
    try:
        net = fit(TrainHealthCallback(tmp_path / "run", stop_on="critical"))
    finally:
        distributed.destroy_process_group()
    assert answers == [False, False]
    assert len(net.history) == 2


@pytest.mark.parametrize("rank", [0, 1])
def test_the_first_rank_alone_says_why_it_ends(
    rank: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others end with it, and the reason is the same."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    monkeypatch.setattr(distributed, "get_rank", lambda: rank)
    try:
        net = fit(TrainHealthCallback(tmp_path / "run", stop_on="critical"), rate=1e30)
    finally:
        distributed.destroy_process_group()
    assert len(net.history) == 1
    assert capsys.readouterr().err.count("trainhealth: training ends") == (rank == 0)


def test_updates_are_seen_although_skorch_trains_inside_the_optimizers_step(tmp_path: Path) -> None:
    """It hands a closure to every optimizer."""
    fit(TrainHealthCallback(tmp_path / "run"))
    run = view(tmp_path)
    assert [layer.name for layer in run.layers] == ["layers.0", "layers.0/relu", "layers.2"]
    assert len(run.columns("update_ratio")) > 2
    assert len(run.series("gradient_norm")) > 2


def test_gradients_are_those_before_clipping(tmp_path: Path) -> None:
    """skorch clips inside the closure that it hands to the optimizer: what is used is seen when that has begun."""
    callback = TrainHealthCallback(tmp_path / "run", options={"overhead": 1.0})
    fit(GradientNormClipping(1e-3), callback)
    run = view(tmp_path)
    assert run.series("gradient_norm").values.min() > 1e-2
    assert run.series("clipped_gradient_norm").values == pytest.approx(1e-3, rel=1e-2)


def test_accumulated_batches_are_one_step_with_their_mean_loss(tmp_path: Path) -> None:
    """Under Accelerate, which leaves the optimizer's step out until the last of them."""
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    net = fit(TrainHealthCallback(tmp_path / "run"), kind=AcceleratedClassifier, accelerator=accelerator)
    losses = batches(net, "train_loss")
    means = [sum(losses[at : at + 2]) / 2 for at in range(0, 12, 2)]
    assert view(tmp_path).series("train_loss").values == pytest.approx(means, rel=1e-6)


def test_mixed_precision_keeps_the_loss_that_skorch_has(tmp_path: Path) -> None:
    """In bfloat16, which needs no scale."""
    accelerator = Accelerator(cpu=True, mixed_precision="bf16")
    net = fit(TrainHealthCallback(tmp_path / "run"), kind=AcceleratedClassifier, accelerator=accelerator)
    run = view(tmp_path)
    assert run.series("train_loss").values == pytest.approx(batches(net, "train_loss"), rel=1e-6)
    assert len(run.series("gradient_norm")) > 2
    assert batches(net, "train_loss") != batches(fit(), "train_loss")  # it was not float32


def test_a_net_with_the_callback_is_cloned_and_pickled(tmp_path: Path) -> None:
    """Grid search does the one, saving a model the other; also while it trains."""

    class Pickling(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            assert pickle.loads(pickle.dumps(callback)).run_dir == tmp_path / "run"

    callback = TrainHealthCallback(tmp_path / "run", options={"overhead": 0.5})
    net = fit(Pickling(), callback)
    [*_, copied] = clone(net).callbacks
    assert (copied.run_dir, copied.options) == (tmp_path / "run", {"overhead": 0.5})
    assert not hasattr(copied, "watch_")
