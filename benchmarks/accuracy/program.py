"""A training program as data: everything that a fault can spoil and a recommendation can change, and how it trains."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn

import trainhealth
from benchmarks.accuracy.adversaries import train_adversaries
from benchmarks.accuracy.data import Data, load
from benchmarks.accuracy.models import make_model


@dataclass(frozen=True)
class Program:
    """The defaults train well with a rate that suits the optimizer."""

    data: str
    model: str  # "mlp", "cnn", "gru", "lstm", "transformer", "autoencoder", "gan"
    width: int = 64
    depth: int = 2
    activation: str = "relu"
    normalization: bool = False
    dropout: float = 0.0
    initialization: str = "suited"  # "default" (torch's), "small", "large", "zero", "constant"
    bias: float = 0.0
    output: str = "logits"  # what comes behind the last layer: "softmax", "sigmoid", "relu", "tanh"
    frozen: bool = False  # the optimizer was made before the last layer
    optimizer: str = "Adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: str = "constant"  # "cosine", "warmup-cosine", "steps", "one-cycle", "restarts", "early", "collapse"
    first_decay: int | None = None  # step of the "early" schedule; None for a twentieth of the run
    clip: float | None = None
    batch_size: int = 32
    epochs: int = 15
    shuffle: bool = True
    zero_gradients: bool = True
    update: bool = True
    maximize: bool = False
    evaluation_mode: bool = True  # model.eval() in evaluations
    training_mode: bool = True  # model.train() in training
    loss: str = "suited"  # "mse" of probabilities, "sum" instead of the mean, "broadcast" of [N, 1] against [N]
    label_smoothing: float = 0.0
    class_weights: bool = False  # in the loss, by the inverse of their share
    input_scale: float = 1.0
    input_shift: float = 0.0
    feature_scale: float = 1.0  # of the first feature
    validation_scale: float = 1.0
    target_scale: float = 1.0
    label_noise: float = 0.0  # share of training labels that are drawn anew
    imbalance: float = 0.0  # share of all classes' examples but the first one's that are taken away
    examples: float = 1.0  # share of the training split
    input_noise: float = 0.0
    bad_example: bool = False  # one input is NaN
    validation_examples: int | None = None  # no more than these
    pretrained: bool = False  # the body comes from an earlier training and is frozen; the head is new
    written: float = 1.0  # share of the log that is there: the run still goes on
    seed: int = 0

    def __str__(self) -> str:
        """Name what differs from the defaults."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        shown = [
            f"{field.name}={values[field.name]!r}" for field in fields(self) if values[field.name] != field.default
        ]
        return f"Program({', '.join(shown)})"


def train(program: Program, run_dir: Path) -> float:
    """Train the program, log into `run_dir`; return the skill: 0 for knowing nothing, 1 for perfect, on validation.

    The best evaluation counts, so that a run that overfits late is judged by what it could have been.
    """
    torch.set_num_threads(1)
    if program.model == "gan":
        return train_adversaries(program, run_dir)
    torch.manual_seed(program.seed)
    data = _spoilt(load(program.data), program)
    model = make_model(program, data)
    if program.pretrained:
        _train(model, data, replace(program, epochs=max(program.epochs // 2, 1), pretrained=False))
        cast(nn.Linear, model.get_submodule("head")).reset_parameters()
        model.get_submodule("body").requires_grad_(False)
    best = _train(model, data, program, run_dir)
    if program.written < 1:
        cut_log(run_dir, program.written)
    return _skill(best, data, program)


def _train(model: nn.Module, data: Data, program: Program, run_dir: Path | None = None) -> float:
    """Train the model, watched if there is a folder for the log; return the lowest validation loss."""
    optimizer = _optimizer(model, program)
    steps = program.epochs * math.ceil(len(data.inputs) / program.batch_size)
    scheduler = _scheduler(optimizer, program, steps)
    best = math.inf
    with ExitStack() as stack:
        watch = run_dir and stack.enter_context(
            trainhealth.watch(model, optimizer, run_dir=run_dir, overhead=0.9, disk=400_000, total_steps=steps)
        )
        for _ in range(program.epochs):
            model.train(program.training_mode)
            for inputs, drawn in _batches(data, program):
                outputs, targets = model(inputs), _compared(drawn, data, program)
                loss = _loss(outputs, targets, data, program)
                if program.zero_gradients:
                    optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                if program.clip is not None:
                    nn.utils.clip_grad_norm_(model.parameters(), program.clip)
                if program.update:
                    optimizer.step()
                if scheduler is not None:
                    scheduler.step()
                if watch:
                    watch.step(loss, outputs=outputs, targets=targets)
            values = _evaluate(model, data, program)
            best = min(best, values["validation_loss"]) if math.isfinite(values["validation_loss"]) else best
            if watch:
                watch.epoch(**values)
    return best


def cut_log(run_dir: Path, share: float) -> None:
    """Leave the log as it was when this share of it was written."""
    path = run_dir / "events-0.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: max(int(share * len(lines)), 1)]))


def _skill(loss: float, data: Data, program: Program) -> float:
    chance = data.chance * (program.target_scale**2 if data.task == "regression" else 1.0)
    return 1 - loss / chance if math.isfinite(loss) else 0.0


def _spoilt(data: Data, program: Program) -> Data:
    random = torch.Generator().manual_seed(program.seed + 1)
    inputs, targets = data.inputs.clone(), data.targets.clone()
    held = data.validation_inputs[: program.validation_examples].clone()
    held_targets = data.validation_targets[: program.validation_examples].clone()
    kept = torch.randperm(len(inputs), generator=random)[: max(int(len(inputs) * program.examples), 8)]
    if program.imbalance and data.task == "classification":
        first = targets == 0
        drawn = torch.rand(len(inputs), generator=random) >= program.imbalance
        kept = kept[(first | drawn)[kept]]
    inputs, targets = inputs[kept], targets[kept]
    if program.label_noise and not targets.is_floating_point():
        wrong = torch.rand(targets.shape, generator=random) < program.label_noise
        drawn_labels = torch.randint(0, data.outputs, targets.shape, generator=random)
        targets = torch.where(wrong, drawn_labels, targets)
    elif program.label_noise:
        targets = targets + program.label_noise * torch.randn(targets.shape, generator=random)
    if inputs.is_floating_point():
        inputs = inputs + program.input_noise * torch.randn(inputs.shape, generator=random)
        inputs = inputs * program.input_scale + program.input_shift
        held = (held * program.input_scale + program.input_shift) * program.validation_scale
        if inputs.dim() == 2:
            inputs[:, 0] *= program.feature_scale
            held[:, 0] *= program.feature_scale
        if program.bad_example:
            inputs[len(inputs) // 2] = math.nan
    if data.task == "regression":
        targets, held_targets = targets * program.target_scale, held_targets * program.target_scale
    if not program.shuffle and data.task == "classification":
        order = targets.argsort()
        inputs, targets = inputs[order], targets[order]
    return Data(data.task, inputs, targets, held, held_targets, data.outputs, data.chance)


def _batches(data: Data, program: Program) -> Iterator[tuple[Tensor, Tensor]]:
    count = len(data.inputs)
    order = torch.randperm(count) if program.shuffle else torch.arange(count)
    for chosen in torch.split(order, program.batch_size):
        if len(chosen) > 1 or count == 1:  # batch norm needs two
            yield data.inputs[chosen], data.targets[chosen]


def _compared(targets: Tensor, data: Data, program: Program) -> Tensor:
    """Return the targets as the loss compares them with the outputs."""
    if program.loss == "broadcast":
        return targets.reshape(-1)  # [N, 1] against [N]: N x N differences
    return F.one_hot(targets, data.outputs).float() if program.loss == "mse" else targets


def _loss(outputs: Tensor, targets: Tensor, data: Data, program: Program) -> Tensor:
    reduction = "sum" if program.loss == "sum" else "mean"
    if data.task in ("regression", "reconstruction"):
        return F.mse_loss(outputs, targets, reduction=reduction)
    if program.loss == "mse":
        return F.mse_loss(outputs.softmax(-1), targets, reduction=reduction)
    logits = outputs.reshape(-1, outputs.shape[-1])
    targets = targets.reshape(-1)
    weights = 1 / data.shares if program.class_weights else None
    return F.cross_entropy(logits, targets, weights, reduction=reduction, label_smoothing=program.label_smoothing)


def _evaluate(model: nn.Module, data: Data, program: Program) -> dict[str, float]:
    if program.evaluation_mode:
        model.eval()
    with torch.no_grad():
        outputs = model(data.validation_inputs)
    targets = data.validation_targets
    if data.task in ("regression", "reconstruction"):
        return {"validation_loss": float(F.mse_loss(outputs, targets))}
    logits = outputs.reshape(-1, outputs.shape[-1])
    accuracy = float((logits.argmax(-1) == targets.reshape(-1)).float().mean())
    return {"validation_loss": float(F.cross_entropy(logits, targets.reshape(-1))), "validation_accuracy": accuracy}


def _optimizer(model: nn.Module, program: Program) -> torch.optim.Optimizer:
    trained = model.get_submodule("body") if program.frozen else model
    parameters = [parameter for parameter in trained.parameters() if parameter.requires_grad]
    settings: dict[str, Any] = {"lr": program.learning_rate, "weight_decay": program.weight_decay}
    if program.optimizer in ("SGD", "RMSprop"):
        settings["momentum"] = program.momentum
    if program.optimizer != "Adagrad":
        settings["maximize"] = program.maximize
    optimizer: torch.optim.Optimizer = getattr(torch.optim, program.optimizer)(parameters, **settings)
    return optimizer


def _scheduler(optimizer: torch.optim.Optimizer, program: Program, steps: int) -> Any:
    schedulers = torch.optim.lr_scheduler
    if program.schedule == "constant":
        return None
    if program.schedule == "cosine":
        return schedulers.CosineAnnealingLR(optimizer, steps)
    if program.schedule == "warmup-cosine":
        warm = max(steps // 10, 1)
        up = schedulers.LinearLR(optimizer, 0.01, 1.0, warm)
        down = schedulers.CosineAnnealingLR(optimizer, max(steps - warm, 1))
        return schedulers.SequentialLR(optimizer, [up, down], [warm])
    if program.schedule == "steps":
        return schedulers.MultiStepLR(optimizer, [steps // 2, steps * 3 // 4], 0.1)
    if program.schedule == "one-cycle":
        return schedulers.OneCycleLR(optimizer, program.learning_rate, total_steps=steps + 1)
    if program.schedule == "restarts":
        return schedulers.CosineAnnealingWarmRestarts(optimizer, max(steps // 3, 1))
    if program.schedule == "early":
        return schedulers.MultiStepLR(optimizer, [program.first_decay or steps // 20], 0.01)
    decay = 1e-4 ** (10 / steps)  # "collapse": meant for epochs, stepped by batch
    return schedulers.ExponentialLR(
        optimizer, decay if program.schedule == "collapse" else decay ** (program.epochs / steps)
    )
