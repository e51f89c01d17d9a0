"""The callback in real trainings: what the log holds, what it leaves alone, and how it ends one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed, nn

import trainhealth

pytest.importorskip("fastai", reason="fastai is not installed: pip install fastai")
from fastai.callback.core import Callback
from fastai.callback.training import GradientAccumulation, GradientClip
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner
from fastai.optimizer import OptimWrapper

from trainhealth_fastai import TrainHealthCallback

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
BATCH = 10


class Remember(Callback):
    """Keeps the raw loss of each training batch, and may make one of them NaN."""

    def __init__(self, poisoned: int = -1) -> None:
        self.losses: list[float] = []
        self.poisoned = poisoned

    def after_loss(self) -> None:
        if self.learn.training:
            if len(self.losses) == self.poisoned:
                self.learn.loss = self.learn.loss * float("nan")
            self.losses.append(self.learn.loss.item())


def fit(*callbacks: Any, poisoned: int = -1, wrapped: bool = True) -> tuple[Learner, list[float]]:
    torch.manual_seed(7)
    inputs = torch.randn(60, 4)
    pairs = list(zip(inputs, inputs[:, :3].argmax(1), strict=True))
    loaders = DataLoaders(DataLoader(pairs, bs=BATCH, num_workers=0), DataLoader(pairs[:20], bs=BATCH, num_workers=0))
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    remember = Remember(poisoned)
    options = {"opt_func": partial(OptimWrapper, opt=torch.optim.SGD)} if wrapped else {}
    learn = Learner(loaders, model, loss_func=nn.CrossEntropyLoss(), lr=0.1, cbs=[remember, *callbacks], **options)
    with learn.no_bar(), learn.no_logging():
        learn.fit(2)
    return learn, remember.losses


def view(tmp_path: Path) -> Any:
    return trainhealth.load(tmp_path / "run").view


@pytest.mark.parametrize("wrapped", [True, False])
def test_steps_losses_and_validation_are_fastais_own(tmp_path: Path, wrapped: bool) -> None:
    """With an optimizer of torch's, and with one of fastai's."""
    learn, losses = fit(TrainHealthCallback(tmp_path / "run"), wrapped=wrapped)
    run = view(tmp_path)
    assert list(run.series("train_loss").steps) == list(range(12))
    assert run.series("train_loss").values == pytest.approx(losses, rel=1e-8)
    assert run.series("validation_loss").values == pytest.approx([v[1] for v in learn.recorder.values], rel=1e-6)
    assert run.series("learning_rate").at(0) == pytest.approx(0.1)
    assert run.ended == "closed"


def test_watching_changes_no_bit(tmp_path: Path) -> None:
    """Weights and losses are the same without the callback."""
    (with_it, losses), (without, plain) = fit(TrainHealthCallback(tmp_path / "run")), fit()
    assert losses == plain
    assert all(map(torch.equal, with_it.model.state_dict().values(), without.model.state_dict().values()))
    assert not with_it.model._forward_pre_hooks


def test_accumulated_batches_are_one_step_with_their_mean_loss(tmp_path: Path) -> None:
    """fastai accumulates examples, here 30."""
    _, losses = fit(TrainHealthCallback(tmp_path / "run"), GradientAccumulation(30))
    means = [sum(losses[at : at + 3]) / 3 for at in range(0, 12, 3)]
    assert view(tmp_path).series("train_loss").values == pytest.approx(means, rel=1e-6)


@pytest.mark.parametrize("wrapped", [True, False])
def test_gradients_are_those_before_clipping(tmp_path: Path, wrapped: bool) -> None:
    """What an optimizer of fastai's own gets is not seen."""
    fit(TrainHealthCallback(tmp_path / "run", overhead=1.0), GradientClip(1e-3), wrapped=wrapped)
    run = view(tmp_path)
    assert run.series("gradient_norm").values.min() > 1e-2
    assert run.series("clipped_gradient_norm").values == pytest.approx([1e-3] * 12 if wrapped else [], rel=1e-2)


def test_a_nan_ends_the_training_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In fastai's own way, at the batch of the NaN, and it says why."""
    _, losses = fit(TrainHealthCallback(tmp_path / "run", stop_on="critical"), poisoned=2)
    assert len(losses) == 3
    assert "trainhealth: training ends in epoch 0: " in capsys.readouterr().err
    assert view(tmp_path).ended == "closed"


@pytest.mark.parametrize("rank", [0, 1])
def test_the_first_rank_alone_says_why_it_ends(
    rank: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others end with it, and the reason is the same."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    monkeypatch.setattr(distributed, "get_rank", lambda: rank)
    try:
        _, losses = fit(TrainHealthCallback(tmp_path / "run", stop_on="critical"), poisoned=2)
    finally:
        distributed.destroy_process_group()
    assert len(losses) == 3
    assert capsys.readouterr().err.count("trainhealth: training ends") == (rank == 0)


def test_ranks_end_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A healthy one ends, at the end of an epoch, where another asks for it, which would be waited for."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    answers: list[bool] = []

    def all_gather_object(gathered: list[bool], asked: bool) -> None:
        answers.append(asked)
        gathered[:] = [asked, True]

    monkeypatch.setattr(distributed, "all_gather_object", all_gather_object)
    try:
        _, losses = fit(TrainHealthCallback(tmp_path / "run", stop_on="critical"))
    finally:
        distributed.destroy_process_group()
    assert answers == [False]
    assert len(losses) == 6
