"""The callback in real trainings: what the log holds, what it leaves alone, and how it ends one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn
from transformers import Trainer, TrainingArguments

import trainhealth
from trainhealth_transformers import TrainHealthCallback

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),  # there is no accelerator here
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),  # the Trainer's own calls
]
EXAMPLES, BATCH = 48, 8


class Classifier(nn.Module):
    """Returns its loss, as models for the Trainer do, and remembers those of its training forwards."""

    poisoned = -1  # training forward whose loss is NaN

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        self.losses: list[float] = []

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        logits = self.net(inputs)
        if labels is None:
            return {"logits": logits}
        loss = nn.functional.cross_entropy(logits, labels)
        if torch.is_grad_enabled():
            if len(self.losses) == self.poisoned:
                loss = loss * float("nan")
            self.losses.append(loss.item())
        return {"loss": loss, "logits": logits}


def examples() -> list[dict[str, torch.Tensor]]:
    inputs = torch.randn(EXAMPLES, 4, generator=torch.Generator().manual_seed(1))
    return [{"inputs": row, "labels": row[:3].argmax()} for row in inputs]


def train(
    tmp_path: Path,
    callback: TrainHealthCallback | None,
    model: nn.Module | None = None,
    data: Any = None,
    trainer: type[Trainer] = Trainer,
    **options: Any,
) -> Trainer:
    """Return the trainer after two epochs."""
    torch.manual_seed(7)
    settings: dict[str, Any] = {
        "output_dir": str(tmp_path / "out"),
        "num_train_epochs": 2,
        "per_device_train_batch_size": BATCH,
        "eval_strategy": "epoch",
        "save_strategy": "no",
        "logging_steps": 1,
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "learning_rate": 0.01,
        "seed": 3,
    }
    torch.manual_seed(7)
    done = trainer(
        model=model or Classifier(),
        args=TrainingArguments(**{**settings, **options}),
        train_dataset=data or examples(),
        eval_dataset=data or examples(),
        callbacks=[] if callback is None else [callback],
    )
    done.train()
    return done


def view(tmp_path: Path) -> Any:
    return trainhealth.load(tmp_path / "run").view


def test_steps_losses_and_validation_are_the_trainers_own(tmp_path: Path) -> None:
    """One step an update, the raw loss, and the evaluation of each epoch."""
    trainer = train(tmp_path, TrainHealthCallback(tmp_path / "run"))
    run = view(tmp_path)
    assert list(run.series("train_loss").steps) == list(range(trainer.state.global_step)) == list(range(12))
    assert run.series("train_loss").values == pytest.approx(trainer.model.losses, rel=1e-8)
    evaluated = [row["eval_loss"] for row in trainer.state.log_history if "eval_loss" in row]
    assert run.series("validation_loss").values == pytest.approx(evaluated, rel=1e-8)
    assert len(run.epochs) == 2
    assert run.info.total_steps == 12
    assert run.ended == "closed"


def test_a_classification_is_known_as_one(tmp_path: Path) -> None:
    """Logits and labels give the accuracy, the loss's graph its function."""
    train(tmp_path, TrainHealthCallback(tmp_path / "run"))
    run = view(tmp_path)
    assert run.facts["loss_function"] == "cross_entropy"
    assert run.series("train_accuracy").steps[0] == 0  # and further ones as the budget of time allows
    assert run.layers[0].name == "net.0"


def test_watching_changes_no_bit(tmp_path: Path) -> None:
    """Weights and losses are the same without the callback."""
    with_it = train(tmp_path, TrainHealthCallback(tmp_path / "run")).model
    without = train(tmp_path, None).model
    assert with_it.losses == without.losses
    assert all(map(torch.equal, with_it.state_dict().values(), without.state_dict().values()))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in with_it.modules())


def test_a_nan_is_seen_although_the_trainer_hides_it(tmp_path: Path) -> None:
    """Its own log has an average in the place of the NaN."""
    model = Classifier()
    model.poisoned = 4
    trainer = train(tmp_path, TrainHealthCallback(tmp_path / "run"), model)
    assert all(math.isfinite(row["loss"]) for row in trainer.state.log_history if "loss" in row)
    assert math.isnan(view(tmp_path).series("train_loss").at(4))
    assert "nonfinite-loss" in [finding.name for finding in trainhealth.check(tmp_path / "run").findings]


def test_a_nan_ends_the_training_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the Trainer's own way, at the step of the NaN, and it says why."""
    model = Classifier()
    model.poisoned = 4
    trainer = train(tmp_path, TrainHealthCallback(tmp_path / "run", stop_on="critical"), model)
    assert trainer.state.global_step == 5
    assert "trainhealth: training ends at step 5: " in capsys.readouterr().err


def test_accumulated_batches_are_one_step_with_their_mean_loss(tmp_path: Path) -> None:
    """Also the last step of an epoch, which has fewer of them; all their examples are one batch."""
    trainer = train(tmp_path, TrainHealthCallback(tmp_path / "run"), gradient_accumulation_steps=4)
    losses, run = trainer.model.losses, view(tmp_path)
    means = [sum(losses[low:high]) / (high - low) for low, high in ((0, 4), (4, 6), (6, 10), (10, 12))]
    assert run.series("train_loss").values == pytest.approx(means, rel=1e-6)
    assert run.series("batch_size").values[0] == 4 * BATCH


def test_gradients_are_those_before_clipping(tmp_path: Path) -> None:
    """The Trainer clips before any of its callbacks sees them."""
    trainer = train(tmp_path, TrainHealthCallback(tmp_path / "run"), max_grad_norm=1e-3)
    logged = [row["grad_norm"] for row in trainer.state.log_history if "grad_norm" in row]
    norms = view(tmp_path).series("gradient_norm")
    assert norms.values == pytest.approx([logged[step] for step in norms.steps], rel=1e-4)
    assert norms.values.min() > 1e-2


def test_mixed_precision_keeps_the_loss_that_the_model_returned(tmp_path: Path) -> None:
    """In bfloat16, which needs no scale."""
    trainer = train(tmp_path, TrainHealthCallback(tmp_path / "run"), bf16=True)
    run = view(tmp_path)
    assert run.series("train_loss").values == pytest.approx(trainer.model.losses, rel=1e-6)
    assert len(run.series("gradient_norm")) > 2
    assert trainer.model.losses != train(tmp_path, None).model.losses  # it was not float32


def test_a_language_models_loss_is_over_all_tokens_of_the_step(tmp_path: Path) -> None:
    """The model divides each micro-batch's sum by the tokens of all of them: the losses add up, as for the Trainer."""
    config = transformers.GPT2Config(vocab_size=11, n_positions=8, n_embd=8, n_layer=1, n_head=2)
    torch.manual_seed(5)
    rows = torch.randint(0, 11, (24, 8))
    data = [{"input_ids": row, "labels": row} for row in rows]
    callback = TrainHealthCallback(tmp_path / "run")
    model = transformers.GPT2LMHeadModel(config)
    trainer = train(tmp_path, callback, model, data, gradient_accumulation_steps=2, per_device_train_batch_size=4)
    logged = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert view(tmp_path).series("train_loss").values == pytest.approx(logged, rel=1e-4)


class OtherLoss(Trainer):
    """A Trainer with a loss of its own: the model's is not trained."""

    def compute_loss(
        self, model: nn.Module, inputs: Any, *args: Any, return_outputs: bool = False, **kwargs: Any
    ) -> Any:
        outputs = model(**inputs)
        loss = outputs["logits"].square().mean()
        return (loss, outputs) if return_outputs else loss


def test_a_loss_that_the_model_does_not_return_is_taken_from_the_trainers_log(tmp_path: Path) -> None:
    """The model's own loss, to which no backward comes, is not taken for it."""
    trainer = train(tmp_path, TrainHealthCallback(tmp_path / "run"), trainer=OtherLoss)
    logged = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert view(tmp_path).series("train_loss").values == pytest.approx(logged, rel=1e-6)


def test_a_resumed_training_goes_on_in_its_folder(tmp_path: Path) -> None:
    """With the Trainer's step numbers, from the checkpoint on."""
    first = TrainHealthCallback(tmp_path / "run")
    train(tmp_path, first, save_strategy="steps", save_steps=6, max_steps=6)
    again = Trainer(
        model=Classifier(),
        args=TrainingArguments(str(tmp_path / "out"), max_steps=9, use_cpu=True, report_to="none", disable_tqdm=True),
        train_dataset=examples(),
        callbacks=[TrainHealthCallback(tmp_path / "run")],
    )
    again.train(resume_from_checkpoint=True)
    run = view(tmp_path)
    assert list(run.series("train_loss").steps) == list(range(9))
    assert run.resumed == (6,)
