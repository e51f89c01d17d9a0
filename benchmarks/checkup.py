"""Measures how often each step of the checkup finds what was planted for it, and how often it speaks without cause.

python -m benchmarks.checkup --part tuning                 the pairs that may be looked at
python -m benchmarks.checkup --part measuring              the others
python -m benchmarks.checkup --steps data modes --no-healthy

The programs are those of benchmarks/accuracy. A plant is set into up to `--pairs` pairs of model and data that can have
it, and the step that answers for it runs, most of them with `quick`; it is found where one of the plant's codes is
among the findings. The healthy programs go through the whole checkup, without `quick` where `--whole` asks for it;
every finding of severity warning or above counts against the step that made it.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import trainhealth
from benchmarks.accuracy.cases import PARTS
from benchmarks.accuracy.data import Data, load
from benchmarks.accuracy.models import make_model
from benchmarks.accuracy.program import Program
from benchmarks.checkup_wrappers import (
    Always,
    Blind,
    Detached,
    LooksAhead,
    Mixed,
    OtherInEvaluation,
    Scaled,
    Unreached,
)
from trainhealth.checkups import all_checks
from trainhealth.diagnosis import Report


@dataclass(frozen=True)
class Setup:
    """What a checkup is given."""

    model: nn.Module
    loss_fn: Callable[[Tensor, Tensor], Tensor]
    data: Data
    optimizer: Callable[[nn.Module], torch.optim.Optimizer]
    batch_size: int
    penalty: float = 0.0  # times the squared weights, in the loss


def setup(program: Program) -> Setup:
    """Return the healthy program's parts."""
    data = load(program.data)
    torch.manual_seed(program.seed)
    settings: dict[str, Any] = {"lr": program.learning_rate, "weight_decay": program.weight_decay}
    if program.optimizer == "SGD":
        settings["momentum"] = program.momentum
    made = getattr(torch.optim, program.optimizer)
    model = make_model(program, data)
    return Setup(model, loss_of, data, lambda model: made(model.parameters(), **settings), program.batch_size)


def loss_of(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean loss of a batch."""
    if targets.is_floating_point():
        return F.mse_loss(outputs, targets)
    return F.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1))


@dataclass(frozen=True)
class Plant:
    """One fault: the step that answers for it, the codes that name it, and what it does to a healthy setup."""

    step: str
    name: str
    codes: tuple[str, ...]
    spoil: Callable[[Setup], Setup]
    fits: Callable[[Program, Data], bool] = lambda program, data: True
    twin: Mapping[str, Any] = field(default_factory=dict)  # changes of the program that are no fault


def _with(wrapper: Callable[[nn.Module], nn.Module]) -> Callable[[Setup], Setup]:
    return lambda parts: replace(parts, model=wrapper(parts.model))


def _behind(layer: nn.Module) -> Callable[[Setup], Setup]:
    return lambda parts: replace(parts, model=nn.Sequential(parts.model, layer))


def _rate(factor: float) -> Callable[[Setup], Setup]:
    def spoil(parts: Setup) -> Setup:
        def optimizer(model: nn.Module) -> torch.optim.Optimizer:
            made = parts.optimizer(model)
            for group in made.param_groups:
                group["lr"] *= factor
            return made

        return replace(parts, optimizer=optimizer)

    return spoil


def _inputs(change: Callable[[Tensor], Tensor]) -> Callable[[Setup], Setup]:
    def spoil(parts: Setup) -> Setup:
        data = parts.data
        changed = replace(data, inputs=change(data.inputs.clone()), validation_inputs=data.validation_inputs)
        return replace(parts, data=changed)

    return spoil


def _weights(factor: float) -> Callable[[Setup], Setup]:
    @torch.no_grad()
    def spoil(parts: Setup) -> Setup:
        for name, parameter in parts.model.named_parameters():
            if parameter.dim() >= 2 and not name.startswith("head"):
                parameter.mul_(factor)
        return parts

    return spoil


def _leak(parts: Setup) -> Setup:
    data = parts.data
    held, targets = data.validation_inputs.clone(), data.validation_targets.clone()
    held[: len(held) // 2], targets[: len(held) // 2] = data.inputs[: len(held) // 2], data.targets[: len(held) // 2]
    return replace(parts, data=replace(data, validation_inputs=held, validation_targets=targets))


def _contradict(parts: Setup) -> Setup:
    data = parts.data
    inputs, targets = data.inputs.clone(), data.targets.clone()
    quarter = len(inputs) // 4
    inputs[:quarter] = inputs[quarter : 2 * quarter]
    targets[:quarter] = (targets[quarter : 2 * quarter] + 1) % data.outputs
    return replace(parts, data=replace(data, inputs=inputs, targets=targets))


def _copy_feature(inputs: Tensor) -> Tensor:
    inputs[:, -1] = inputs[:, 0]
    return inputs


def _dark(inputs: Tensor) -> Tensor:
    inputs[::3] /= 255
    return inputs


def _one_nan(inputs: Tensor) -> Tensor:
    inputs[::7, ..., 0] = float("nan")
    return inputs


def _other_labels(parts: Setup) -> Setup:
    """Labels drawn anew at every call of the loss: nothing can be learnt by heart."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return loss_of(outputs, targets[torch.randperm(len(targets))])

    return replace(parts, loss_fn=loss)


def _own_optimizer(parts: Setup) -> Setup:
    return replace(parts, optimizer=lambda model: parts.optimizer(model.get_submodule("body")))


def _ascending(parts: Setup) -> Setup:
    return replace(parts, loss_fn=lambda outputs, targets: -loss_of(outputs, targets))


def _floats(program: Program, data: Data) -> bool:
    return data.inputs.is_floating_point()


def _tables(program: Program, data: Data) -> bool:
    return data.inputs.dim() == 2 and data.inputs.is_floating_point() and data.inputs.shape[1] > 3


def _classes(program: Program, data: Data) -> bool:
    return data.task == "classification"


def _language(program: Program, data: Data) -> bool:
    return data.task == "language"


def _mlp(program: Program, data: Data) -> bool:
    return program.model == "mlp"


def _of_many_numbers(program: Program, data: Data) -> bool:
    return data.task == "classification" and data.inputs[0].numel() >= 8


# fmt: off
PLANTS = (
    Plant("initial-loss", "penalty that outweighs the data", ("CU01",), lambda parts: replace(parts, penalty=30.0)),
    Plant("initial-loss", "penalty of the wrong sign", ("CU02",), lambda parts: replace(parts, penalty=-1.0)),
    Plant("initial-loss", "outputs a hundred times too large", ("LS07",), _behind(Scaled(100.0))),
    Plant("data", "inputs a thousand times too large", ("DA01", "DA02"), _inputs(lambda x: 1000 * x), _floats),
    Plant("data", "inputs that are not finite", ("DA09", "LS01"), _inputs(_one_nan), _floats),
    Plant("data", "two equal features", ("CU03",), _inputs(_copy_feature), _tables),
    Plant("data", "equal examples of other classes", ("CU04",), _contradict, _of_many_numbers),
    Plant("data", "validation examples in training", ("CU05",), _leak, _of_many_numbers),
    Plant("data", "images of other ranges", ("CU06",), _inputs(_dark), lambda program, data: data.inputs.dim() == 4),
    Plant("initialization", "weights a hundredth", ("IN01", "IN04", "GR01"), _weights(0.01), _mlp, {"depth": 5}),
    Plant("initialization", "weights tenfold", ("IN02", "IN04", "GR02"), _weights(10.0), _mlp, {"depth": 5}),
    Plant("initialization", "weights zero", ("IN03", "IN01", "IN04"), _weights(0.0), _mlp),
    Plant("gradients", "outputs cut from the graph", ("CU09",), _with(Detached)),
    Plant("gradients", "a layer that is not used", ("CU10",), _with(Unreached)),
    Plant("gradients", "head not optimized", ("OP09",), _own_optimizer),
    Plant("dependence", "examples mixed in the batch", ("CU07",), _with(Mixed)),
    Plant("dependence", "input not looked at", ("CU08", "AC04"), _with(Blind)),
    Plant("causality", "a model that sees what it predicts", ("MO10",), _with(LooksAhead), _language),
    Plant("first-steps", "rate a thousand times too high", ("OP01", "LS02", "LS01"), _rate(1000.0)),
    Plant("overfit", "labels of other examples", ("CU14",), _other_labels),
    Plant("rate-range", "rate ten thousand times too low", ("CU15",), _rate(1e-4)),
    Plant("rate-range", "rate a thousand times too high", ("CU15",), _rate(1000.0)),
    Plant("modes", "softmax before cross entropy", ("MO04",), _behind(nn.Softmax(-1)), _classes),
    Plant("modes", "dropout in evaluation", ("CU13",), _with(Always)),
    Plant("modes", "another model in evaluation", ("CU11",), _with(OtherInEvaluation)),
)
# fmt: on


def examine(parts: Setup, program: Program, *only: str, quick: bool = True) -> Report:
    """Return the report of a checkup with the loaders of a training; its clock counts CPU seconds."""
    data = parts.data
    loader = DataLoader(
        TensorDataset(data.inputs, data.targets),
        parts.batch_size,
        shuffle=True,
        generator=torch.Generator().manual_seed(program.seed),
    )
    held = DataLoader(TensorDataset(data.validation_inputs, data.validation_targets), parts.batch_size)

    def penalized(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        weights = torch.stack([parameter.square().sum() for parameter in model.parameters()]).sum()
        return parts.loss_fn(model(batch[0]), batch[1]) + parts.penalty * weights

    with mock.patch.object(time, "monotonic", time.process_time):
        return trainhealth.checkup(
            parts.model,
            None if parts.penalty else parts.loss_fn,
            loader,
            parts.optimizer(parts.model),
            validation=held,
            forward=penalized if parts.penalty else None,
            only=only or None,
            quick=quick,
            total_steps=program.epochs * len(loader),
            progress=False,
        )


def programs(part: str) -> list[Program]:
    """Return the programs of one model: a checkup looks at one at a time, with a loss that is its own."""
    return [program for program in PARTS[part] if program.model != "gan"]


def planted(part: str, pairs: int, steps: Sequence[str]) -> Iterator[str]:
    """Yield a row of the table for each plant."""
    for plant in PLANTS:
        if plant.step not in steps:
            continue
        found, said = [], []
        for program in [one for one in programs(part) if plant.fits(one, load(one.data))][:pairs]:
            twin = replace(program, **plant.twin)
            quick = plant.step not in ("initialization", "first-steps")  # their rules wait for more than its 20 steps
            report = examine(plant.spoil(setup(twin)), twin, plant.step, quick=quick)
            codes = {finding.code for finding in report.findings}
            found.append(bool(codes & set(plant.codes)))
            if not found[-1]:
                said.append(f"{program.model} on {program.data}")
        missed = f": not {', '.join(said)}" if said else ""
        yield f"| `{plant.step}` | {plant.name} | {', '.join(plant.codes)} | {sum(found)} of {len(found)}{missed} |"


def healthy(part: str, *, quick: bool) -> Iterator[str]:
    """Yield what the whole checkup says of each healthy program, and the findings by step."""
    steps = {code: check.name for check in all_checks() for code in check.rules}
    steps |= {fault.code: check.name for check in all_checks() for fault in check.faults}
    total: Counter[str] = Counter()
    for program in programs(part):
        began = time.process_time()
        report = examine(setup(program), program, quick=quick)
        seconds = time.process_time() - began
        codes = [finding.code for finding in report.findings if finding.severity != "note"]
        notes = [finding.code for finding in report.findings if finding.severity == "note"]
        total.update(steps[code] for code in codes)
        yield (
            f"| {program.model} on {program.data} | {', '.join(codes) or 'none'} | {', '.join(notes) or 'none'} "
            f"| {seconds:.0f} |"
        )
    yield f"findings of healthy programs by step: {dict(total) or 'none'}"


def main() -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [check.name for check in all_checks()]
    parser.add_argument("--part", choices=list(PARTS), default="measuring")
    parser.add_argument("--pairs", type=int, default=3, help="pairs of model and data that a plant is set into")
    parser.add_argument("--steps", nargs="*", choices=names, default=names, help="whose plants are set")
    parser.add_argument("--no-healthy", action="store_true")
    parser.add_argument("--whole", action="store_true", help="healthy programs without quick")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    for row in planted(chosen.part, chosen.pairs, chosen.steps):
        print(row, flush=True)
    for row in () if chosen.no_healthy else healthy(chosen.part, quick=not chosen.whole):
        print(row, flush=True)


if __name__ == "__main__":
    main()
