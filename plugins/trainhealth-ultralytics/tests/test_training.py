"""The callbacks in trainings by Ultralytics' protocol: what the log holds, what it leaves alone, how it ends one."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

import trainhealth
import trainhealth_ultralytics

PER_EPOCH = 6  # batches
MAX_NORM = 10.0  # of gradients, to which they are clipped


def view(tmp_path: Path) -> Any:
    return trainhealth.load(tmp_path / "train").view


def test_a_step_has_the_batchs_losses_and_an_epoch_the_validations(train: Any, tmp_path: Path) -> None:
    """By parts, and as their sum: the mean of the batch, not the sum over it through which gradients come."""
    trainer = train()
    run = view(tmp_path)
    losses = run.series("train_loss")
    assert list(losses.steps) == list(range(2 * PER_EPOCH))
    assert losses.values == pytest.approx([sum(parts.values()) for parts in trainer.losses], rel=1e-6)
    assert run.series("loss/box_loss").values == pytest.approx([parts["box_loss"] for parts in trainer.losses])
    validated = [sum(parts.values()) for parts in trainer.validated[:2]]
    assert run.series("validation_loss").values == pytest.approx(validated, rel=1e-6)
    assert list(run.series("metrics/mAP50(B)").values) == [0.5, 0.5]
    assert run.ended == "closed"


def test_the_pictures_are_the_input(train: Any, tmp_path: Path) -> None:
    """And their number is the size of the batch, although the objects' numbers come before them."""
    train()
    run = view(tmp_path)
    assert list(run.series("batch_size").values) == [8]
    assert 0 < run.series("input_maximum").values.max() < 10


def test_the_evaluation_of_the_best_checkpoint_is_no_epoch(train: Any, tmp_path: Path) -> None:
    """Ultralytics tells it as one more `on_fit_epoch_end`."""
    trainer = train()
    assert len(trainer.validated) == 3
    assert [epoch.number for epoch in view(tmp_path).epochs] == [0, 1]


def test_an_epoch_without_a_validation_has_no_values_of_one(train: Any, tmp_path: Path) -> None:
    """With ``val=False`` the trainer's metrics stay those of before: zeros, at first. The last epoch is validated."""
    trainer = train(epochs=3, val=False)
    run = view(tmp_path)
    assert len(run.epochs) == 3
    assert run.series("validation_loss").values == pytest.approx([sum(trainer.validated[0].values())], rel=1e-6)


def test_losses_before_ultralytics_84_are_a_tensor(train: Any, tmp_path: Path) -> None:
    """Their names stand beside them."""
    trainer = train(tensor_items=True)
    values = view(tmp_path).series("loss/cls_loss").values
    assert values == pytest.approx([parts["cls_loss"] for parts in trainer.losses], rel=1e-6)


def test_a_classifier_has_one_loss_and_an_accuracy(train: Any, tmp_path: Path) -> None:
    """Under the names that rules read, and under no second one."""
    trainer = train(task="classify")
    run = view(tmp_path)
    assert run.series("train_loss").values == pytest.approx([parts["loss"] for parts in trainer.losses], rel=1e-6)
    assert run.info.task == "classification"
    assert list(run.series("validation_accuracy").values) == [0.5, 0.5]
    assert not {"val/loss", "metrics/accuracy_top1"} & {name for epoch in run.epochs for name in epoch.values}


@pytest.mark.parametrize("task", ["detect", "classify"])
def test_several_processes_do_not_multiply_the_loss(
    train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    """Ultralytics does, because gradients are averaged over them."""
    monkeypatch.setenv("WORLD_SIZE", "4")
    trainer = train(world_size=4, task=task)
    values = view(tmp_path).series("train_loss").values
    assert values == pytest.approx([sum(parts.values()) for parts in trainer.losses], rel=1e-6)


def test_watching_changes_no_bit(train: Any, fake_trainer: Any) -> None:
    """Weights and losses are the same without the callbacks, and no hook stays."""
    with_it = train()
    without = fake_trainer()
    without.train()
    assert with_it.losses == without.losses
    assert all(map(torch.equal, with_it.model.state_dict().values(), without.model.state_dict().values()))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in with_it.model.modules())


def test_accumulated_batches_are_one_step_with_their_mean_loss(train: Any, tmp_path: Path) -> None:
    """The first batch is an update by itself: Ultralytics counts from the batch before it."""
    trainer = train(accumulate=3)
    totals = [sum(parts.values()) for parts in trainer.losses]
    losses = view(tmp_path).series("train_loss")
    groups = [totals[2:3], totals[3:6], totals[6:9], totals[9:12]]
    assert list(losses.steps) == list(range(4))
    assert losses.values[1:] == pytest.approx([sum(group) / 3 for group in groups[1:]], rel=1e-6)


@pytest.mark.parametrize("amp", [False, True])
def test_gradients_are_those_before_clipping_and_without_the_scale(train: Any, tmp_path: Path, amp: bool) -> None:
    """Ultralytics clips at 10, and its scaler is there, switched off, where it is not used."""
    train(amp=amp)
    run = view(tmp_path)
    norms = run.series("gradient_norm").values
    assert len(norms) > 2
    assert norms[0] > 2 * MAX_NORM
    assert norms.max() < 1e4
    assert run.series("clipped_gradient_norm").values.max() <= MAX_NORM * 1.001
    assert len(run.columns("update_ratio").steps) > 2


def test_a_nan_that_only_the_gradients_have_is_seen(train: Any, tmp_path: Path) -> None:
    """The parts may come from the one branch that is validated, and be finite."""
    train(epochs=1, poisoned=3)
    assert "nonfinite-loss" in [finding.name for finding in trainhealth.check(tmp_path / "train").findings]


def test_a_nan_ends_the_training_where_asked(train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the trainer's own flag, after the batch of the NaN, and it says why."""
    trainer = train(stop_on="critical", poisoned=2)
    assert len(trainer.losses) == 3
    assert capsys.readouterr().err.count("trainhealth: training ends in epoch 1: ") == 1
    assert [event.event for event in view(tmp_path).events if event.event == "stop"] == ["stop"]


def test_several_processes_end_after_an_epoch(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ultralytics tells the others of the flag there; one process that leaves its batches would be waited for."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    trainer = train(stop_on="critical", poisoned=2, world_size=2)
    assert len(trainer.losses) == PER_EPOCH


def test_a_process_that_does_not_decide_says_nothing(
    fake_trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ultralytics overrules its flag with the first one's."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    asked: list[bool] = []

    def end(trainer: Any) -> None:
        asked.append(trainer.stop)
        trainer.stop = True

    trainer = fake_trainer(poisoned=2, world_size=2)
    trainhealth_ultralytics.watch(trainer, tmp_path / "run", stop_on="critical")
    trainer.add_callback("on_fit_epoch_end", end)
    trainer.train()
    assert asked[0] is False
    assert "training ends" not in capsys.readouterr().err


def test_a_repeated_epoch_has_not_ended_before(train: Any, tmp_path: Path) -> None:
    """After a NaN Ultralytics restores the last checkpoint and trains the epoch again."""
    trainer = train(epochs=3, poisoned=2 * PER_EPOCH - 1)
    run = view(tmp_path)
    assert len(trainer.losses) == 4 * PER_EPOCH
    assert [epoch.number for epoch in run.epochs] == [0, 1, 2]


def test_the_optimizer_after_running_out_of_memory_is_followed(train: Any, tmp_path: Path) -> None:
    """The trainer makes another one, for smaller batches, and begins the epoch anew."""
    trainer = train(epochs=1, out_of_memory=2)
    assert len(trainer.losses) == 3 + PER_EPOCH
    assert list(view(tmp_path).series("train_loss").steps) == list(range(2 + PER_EPOCH))


def test_a_resumed_training_goes_on_in_its_folder(train: Any, tmp_path: Path) -> None:
    """Also with SGD, which counts no steps; another training beside it gets a folder of its own."""
    train(epochs=1)
    train(epochs=2, start_epoch=1)
    run = view(tmp_path)
    assert list(run.series("train_loss").steps) == list(range(2 * PER_EPOCH))
    assert run.resumed == (PER_EPOCH,)
    assert [epoch.number for epoch in run.epochs] == [0, 1]
    train(epochs=1)
    assert (tmp_path / "train-2").is_dir()


def test_a_training_after_one_that_failed_has_its_own_log(fake_trainer: Any, tmp_path: Path) -> None:
    """Ultralytics tells callbacks nothing of an exception: the next training ends the log."""
    trainer = fake_trainer(fails_at=4)
    trainhealth_ultralytics.watch(trainer, tmp_path / "run")
    with pytest.raises(RuntimeError, match="no more"):
        trainer.train()
    trainer.fails_at = -1
    trainer.train()
    assert len(trainhealth.load(tmp_path / "run").view.series("train_loss")) == 4
    assert len(trainhealth.load(tmp_path / "run-2").view.series("train_loss")) == 2 * PER_EPOCH


def test_the_callbacks_can_be_sent_to_another_process() -> None:
    """That is how Ultralytics trains on several GPUs."""
    callbacks = trainhealth_ultralytics.TrainHealthCallbacks("run", stop_on="critical")
    assert vars(pickle.loads(pickle.dumps(callbacks.on_train_start)).__self__) == vars(callbacks)
