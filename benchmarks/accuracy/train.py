"""How a program trains, by itself or watched."""

from __future__ import annotations

import copy
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast
from unittest import mock

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn

import trainhealth
from benchmarks.accuracy.adversaries import train_adversaries
from benchmarks.accuracy.data import Data, load
from benchmarks.accuracy.models import make_model
from benchmarks.accuracy.program import Program
from benchmarks.accuracy.spoil import spoilt


def train(program: Program, run_dir: Path) -> float:
    """Train the program, log into `run_dir`; return the skill: 0 for knowing nothing, 1 for perfect, on validation.

    The best evaluation counts, so that a run that overfits late is judged by what it could have been.
    """
    torch.set_num_threads(1)
    if program.model == "gan":
        return train_adversaries(program, run_dir)
    if program.watched == "run":
        return _train_as_script(program, run_dir)
    torch.manual_seed(program.seed)
    data = spoilt(load(program.data), program)
    model = make_model(program, data)
    if program.pretrained:
        _train(model, data, replace(program, epochs=max(program.epochs // 2, 1), pretrained=False))
        cast(nn.Linear, model.get_submodule("head")).reset_parameters()
        model.get_submodule("body").requires_grad_(False)
    if program.resumed:
        half = replace(program, epochs=program.epochs // 2, resumed="")
        best = _train(model, data, half, run_dir)
        best = min(best, _train(make_model(program, data), data, half, run_dir, resume=True))
    elif program.ranks > 1:
        best = _train_apart(model, data, program, run_dir)
    else:
        best = _train(model, data, program, run_dir)
    if program.written < 1:
        cut_log(run_dir, program.written)
    return _skill(best, data, program)


def train_unwatched(program: Program) -> float:
    """Train the program as a script of its own would; return its skill."""
    torch.set_num_threads(1)
    torch.manual_seed(program.seed)
    data = spoilt(load(program.data), program)
    return _skill(_train(make_model(program, data), data, program), data, program)


def _train_as_script(program: Program, run_dir: Path) -> float:
    """Train the program in a process of its own, under `trainhealth run`; return its skill."""
    script = ["-m", "benchmarks.accuracy.script", json.dumps(asdict(program))]
    command = [sys.executable, "-m", "trainhealth", "run", "--run-dir", str(run_dir), *script]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(printed.split()[-1])


def _train_apart(model: nn.Module, data: Data, program: Program, run_dir: Path) -> float:
    """Train a copy of the model for each rank, one after the other; return the first one's lowest validation loss."""
    losses = []
    for rank in range(program.ranks):
        torch.manual_seed(program.seed + rank)
        share = replace(data, inputs=data.inputs[rank :: program.ranks], targets=data.targets[rank :: program.ranks])
        with mock.patch.dict(os.environ, RANK=str(rank), WORLD_SIZE=str(program.ranks)):
            losses.append(_train(copy.deepcopy(model), share, program, run_dir))
    return losses[0]


def _train(
    model: nn.Module, data: Data, program: Program, run_dir: Path | None = None, *, resume: bool = False
) -> float:
    """Train the model, watched if there is a folder for the log; return the lowest validation loss."""
    optimizer = _optimizer(model, program)
    steps = program.epochs * math.ceil(len(data.inputs) / program.batch_size)
    scheduler = _scheduler(optimizer, program, steps)
    best = math.inf
    evaluated = copy.deepcopy(model) if program.evaluated == "copy" else model
    with ExitStack() as stack:
        watch = run_dir and stack.enter_context(
            trainhealth.watch(
                model, optimizer, run_dir=run_dir, overhead=0.9, disk=400_000, total_steps=steps, resume=resume
            )
        )
        for _ in range(program.epochs):
            model.train(program.training_mode)
            if program.remade == "weights":
                _reset(model)
            for inputs, drawn in _batches(data, program):
                if program.remade == "optimizer":
                    optimizer = _optimizer(model, program)
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
            values = _evaluate(evaluated, data, program)
            best = min(best, values["validation_loss"]) if math.isfinite(values["validation_loss"]) else best
            if program.validation_loss == "sum":
                values["validation_loss"] *= len(data.validation_targets)
            if watch:
                watch.epoch(**values)
    return best


def _reset(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.RNNBase | nn.Embedding):
            module.reset_parameters()


def cut_log(run_dir: Path, share: float) -> None:
    """Leave the log as it was when this share of it was written."""
    path = run_dir / "events-0.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: max(int(share * len(lines)), 1)]))


def _skill(loss: float, data: Data, program: Program) -> float:
    chance = data.chance * (program.target_scale**2 if data.task == "regression" else 1.0)
    if program.loss == "binary" and data.task == "classification":
        answers = _one_hot(data.validation_targets, data)
        chance = float(F.binary_cross_entropy(data.shares.expand_as(answers), answers))
    return 1 - loss / chance if math.isfinite(loss) else 0.0


def _batches(data: Data, program: Program) -> Iterator[tuple[Tensor, Tensor]]:
    count = len(data.inputs)
    order = torch.randperm(count) if program.shuffle else torch.arange(count)
    for chosen in torch.split(order, program.batch_size):
        if len(chosen) > 1 or program.batch_size == 1:  # batch norm needs two
            yield data.inputs[chosen], data.targets[chosen]


def _compared(targets: Tensor, data: Data, program: Program) -> Tensor:
    """Return the targets as the loss compares them with the outputs."""
    if program.loss == "broadcast":
        return targets.reshape(-1)  # [N, 1] against [N]: N x N differences
    classes = data.task == "classification"
    return _one_hot(targets, data) if classes and program.loss in ("mse", "binary") else targets


def _one_hot(targets: Tensor, data: Data) -> Tensor:
    return F.one_hot(targets, data.outputs).float()


def _loss(outputs: Tensor, targets: Tensor, data: Data, program: Program) -> Tensor:
    reduction = "sum" if program.loss == "sum" else "mean"
    if program.loss == "binary":
        return F.binary_cross_entropy_with_logits(outputs, targets)
    if data.task in ("regression", "reconstruction"):
        return F.mse_loss(outputs, targets, reduction=reduction)
    if program.loss == "mse":
        return F.mse_loss(outputs.softmax(-1), targets, reduction=reduction)
    if program.loss == "log":
        return F.nll_loss(outputs.log(), targets)
    if program.loss == "reshaped":
        return F.cross_entropy(outputs.reshape(len(outputs), data.outputs, -1), targets)
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
    if program.loss == "binary":
        loss = F.binary_cross_entropy_with_logits(logits, _one_hot(targets, data))
    else:
        loss = F.cross_entropy(logits, targets.reshape(-1))
    return {"validation_loss": float(loss), "validation_accuracy": accuracy}


def _optimizer(model: nn.Module, program: Program) -> torch.optim.Optimizer:
    trained = model.get_submodule("body") if program.frozen else model
    parameters: list[Any] = [parameter for parameter in trained.parameters() if parameter.requires_grad]
    if program.body_rate != 1:
        body, head = model.get_submodule("body"), model.get_submodule("head")
        slow = {"params": list(body.parameters()), "lr": program.learning_rate * program.body_rate}
        parameters = [slow, {"params": list(head.parameters())}]
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
    if program.schedule == "cycling":  # T_max in epochs, stepped by batch
        return schedulers.CosineAnnealingLR(optimizer, program.epochs)
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
