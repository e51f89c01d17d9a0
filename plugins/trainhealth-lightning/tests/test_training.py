"""The callback in real trainings: what the log holds, what it leaves alone, and how it ends one."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import trainhealth
from trainhealth_lightning import TrainHealthCallback

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning"),  # advice on speed
    pytest.mark.filterwarnings("ignore:.*is smaller than the logging interval:UserWarning"),  # nothing is logged there
    # Lightning's own calls of what torch has deprecated since
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
ROOTS = ("lightning.pytorch", "pytorch_lightning")
EXAMPLES, BATCH = 60, 10


def module_class(root: str) -> type[Any]:
    base: type[Any] = import_module(root).LightningModule

    class Net(base):  # type: ignore[misc]  # of either root
        """A regression that remembers its raw losses, and how often it validated."""

        poisoned = -1  # batch at which the loss is NaN

        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
            self.losses: list[float] = []
            self.validated: list[float] = []

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            loss = nn.functional.mse_loss(self.net(batch[0]), batch[1])
            if len(self.losses) == self.poisoned:
                loss = loss * float("nan")
            self.losses.append(loss.item())
            return loss

        def validation_step(self, batch: Any, index: int) -> None:
            loss = nn.functional.mse_loss(self.net(batch[0]), batch[1])
            if not self.trainer.sanity_checking:
                self.validated.append(loss.item())
            self.log("val_loss", loss)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=0.01)

    return Net


def fit(
    tmp_path: Path,
    *callbacks: Any,
    root: str = ROOTS[0],
    net: Any = None,
    checkpoint: Path | None = None,
    **options: Any,
) -> tuple[Any, Any]:
    """Return the trained module and its trainer."""
    torch.manual_seed(7)
    module = (net or module_class(root))()
    inputs = torch.randn(EXAMPLES, 4)
    data = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(inputs, inputs.sum(1, keepdim=True)), batch_size=BATCH
    )
    settings = {"max_epochs": 2, "logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    quiet = {"enable_model_summary": False, "accelerator": "cpu", "default_root_dir": tmp_path}
    trainer = import_module(root).Trainer(callbacks=list(callbacks), **{**settings, **quiet, **options})
    trainer.fit(module, data, data, ckpt_path=checkpoint)
    return module, trainer


def view(tmp_path: Path) -> Any:
    return trainhealth.load(tmp_path / "run").view


@pytest.mark.parametrize("root", ROOTS)
def test_steps_losses_and_validation_are_lightnings_own(root: str, tmp_path: Path) -> None:
    """With the trainer of either import root; the sanity check before the training is no validation."""
    module, trainer = fit(tmp_path, TrainHealthCallback(tmp_path / "run"), root=root)
    run = view(tmp_path)
    losses = run.series("train_loss")
    assert list(losses.steps) == list(range(trainer.global_step))
    assert losses.values == pytest.approx(module.losses, rel=1e-8)
    per_epoch = EXAMPLES // BATCH
    means = [sum(module.validated[at : at + per_epoch]) / per_epoch for at in (0, per_epoch)]
    assert run.series("validation_loss").values == pytest.approx(means, rel=1e-6)
    assert [epoch.number for epoch in run.epochs] == [0, 1]
    assert run.info.total_steps == trainer.global_step
    assert run.ended == "closed"


def test_watching_changes_no_bit(tmp_path: Path) -> None:
    """Weights and losses are the same without the callback."""
    with_it, _ = fit(tmp_path, TrainHealthCallback(tmp_path / "run"))
    without, _ = fit(tmp_path)
    assert with_it.losses == without.losses
    assert all(map(torch.equal, with_it.state_dict().values(), without.state_dict().values()))
    assert not any(child._forward_pre_hooks for child in with_it.modules())


def test_the_layers_of_the_network_inside_are_seen(tmp_path: Path) -> None:
    """Although Lightning calls `training_step`, which is no forward, and that calls `self.net`."""
    fit(tmp_path, TrainHealthCallback(tmp_path / "run"))
    run = view(tmp_path)
    assert [layer.name for layer in run.layers] == ["net.0", "net.0/relu", "net.2"]
    assert [parameter.name for parameter in run.parameters][:2] == ["net.0.weight", "net.0.bias"]
    assert len(run.columns("update_ratio")) > 2
    assert run.facts["loss_function"] == "mse"


def test_accumulated_batches_are_one_step_with_their_mean_loss(tmp_path: Path) -> None:
    """Lightning has divided each loss by their number; the log has what `training_step` returned."""
    module, trainer = fit(tmp_path, TrainHealthCallback(tmp_path / "run"), accumulate_grad_batches=3)
    losses = view(tmp_path).series("train_loss")
    assert list(losses.steps) == list(range(trainer.global_step)) == [0, 1, 2, 3]
    means = [sum(module.losses[at : at + 3]) / 3 for at in range(0, 12, 3)]
    assert losses.values == pytest.approx(means, rel=1e-6)


def test_gradients_are_those_before_clipping(tmp_path: Path) -> None:
    """A norm of 1e-3 is what the optimizer gets, not what the loss gives."""
    fit(tmp_path, TrainHealthCallback(tmp_path / "run"), gradient_clip_val=1e-3)
    norms = view(tmp_path).series("gradient_norm")
    assert len(norms)
    assert norms.values.min() > 1e-2


def test_mixed_precision_keeps_the_loss_as_it_was_returned(tmp_path: Path) -> None:
    """In bfloat16, which needs no scale."""
    module, _ = fit(tmp_path, TrainHealthCallback(tmp_path / "run"), precision="bf16-mixed")
    assert view(tmp_path).series("train_loss").values == pytest.approx(module.losses, rel=1e-6)


def test_a_nan_ends_the_training_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In Lightning's own way, at the step of the NaN, and it says why."""
    poisoned = type("Poisoned", (module_class(ROOTS[0]),), {"poisoned": 2})
    module, trainer = fit(tmp_path, TrainHealthCallback(tmp_path / "run", stop_on="critical"), net=poisoned)
    assert trainer.should_stop
    assert len(module.losses) == 3
    assert "trainhealth: training ends at step 3: " in capsys.readouterr().err
    assert [event.event for event in view(tmp_path).events if event.event == "stop"] == ["stop"]


def test_without_being_asked_it_ends_nothing(tmp_path: Path) -> None:
    """It is a doctor: a NaN loss stands in the log, and the training goes on."""
    poisoned = type("Poisoned", (module_class(ROOTS[0]),), {"poisoned": 2})
    module, _ = fit(tmp_path, TrainHealthCallback(tmp_path / "run"), net=poisoned)
    assert len(module.losses) == 12
    assert "nonfinite-loss" in [finding.name for finding in trainhealth.check(tmp_path / "run").findings]


def test_an_exception_is_the_end_of_the_log(tmp_path: Path) -> None:
    """And a second training of the same module can be watched."""

    class Failing(module_class(ROOTS[0])):  # type: ignore[misc]  # made above
        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            if len(self.losses) == 4:
                raise RuntimeError("no more")
            return super().training_step(batch, index)

    with pytest.raises(RuntimeError, match="no more"):
        fit(tmp_path, TrainHealthCallback(tmp_path / "run"), net=Failing)
    run = view(tmp_path)
    assert run.ended == "exception"
    assert run.error.message == "no more"


def test_a_resumed_training_goes_on_in_its_folder(tmp_path: Path) -> None:
    """With Lightning's step numbers, from the checkpoint on."""
    _, trainer = fit(tmp_path, TrainHealthCallback(tmp_path / "run"), max_epochs=1)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    fit(tmp_path, TrainHealthCallback(tmp_path / "run"), checkpoint=tmp_path / "half.ckpt")
    run = view(tmp_path)
    assert list(run.series("train_loss").steps) == list(range(12))
    assert run.resumed == (6,)


def test_several_optimizers_are_trained_by_hand(tmp_path: Path) -> None:
    """A step is a batch, with a loss a backward; Lightning counts the updates of both."""

    class Pair(module_class(ROOTS[0])):  # type: ignore[misc]  # made above
        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = False
            self.other = nn.Linear(4, 1)

        def training_step(self, batch: Any, index: int) -> None:
            for optimizer, part in zip(self.optimizers(), (self.net, self.other), strict=True):
                loss = nn.functional.mse_loss(part(batch[0]), batch[1])
                optimizer.zero_grad()
                self.manual_backward(loss)
                optimizer.step()
                self.losses.append(loss.item())

        def configure_optimizers(self) -> Any:
            return [torch.optim.SGD(part.parameters(), lr=0.01) for part in (self.net, self.other)]

    module, _ = fit(tmp_path, TrainHealthCallback(tmp_path / "run"), net=Pair)
    run = view(tmp_path)
    assert list(run.series("train_loss").steps) == list(range(0, 24, 2))
    sums = [first + second for first, second in zip(module.losses[::2], module.losses[1::2], strict=True)]
    assert run.series("train_loss").values == pytest.approx(sums, rel=1e-6)
    assert {layer.name.split(".")[0] for layer in run.layers} == {"net", "other"}


DISTRIBUTED = """
import sys, torch
from lightning.pytorch import LightningModule, Trainer
from trainhealth_lightning import TrainHealthCallback

class Net(LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(4, 1)
    def training_step(self, batch, index):
        loss = self.net(batch[0]).square().mean()
        return loss * float("nan") if self.global_rank == 1 and self.global_step == 3 else loss
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)

torch.set_num_threads(1)
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(40, 4)), batch_size=5)
quiet = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
callback = TrainHealthCallback(sys.argv[1], stop_on="critical")
trainer = Trainer(max_epochs=3, accelerator="cpu", devices=2, strategy="ddp", callbacks=[callback], **quiet)
trainer.fit(Net(), data)
print("ended at", trainer.global_step)
"""


@pytest.mark.slow
def test_ranks_have_a_file_each_and_end_together(tmp_path: Path) -> None:
    """Lightning's own launcher sets no RANK. A NaN on one rank ends all of them, at the end of the epoch."""
    script = tmp_path / "train.py"
    script.write_text(DISTRIBUTED)
    command = [sys.executable, str(script), str(tmp_path / "run")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.stdout.count("ended at 4") == 2, done.stderr
    run = view(tmp_path)
    assert run.ranks == (0, 1)
    assert list(run.series("train_loss").steps) == [0, 1, 2, 3]
    assert done.stderr.count("trainhealth: training ends at step 4: ") == 1
