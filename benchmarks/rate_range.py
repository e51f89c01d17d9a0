"""Measures how good the learning rate is that the checkup suggests.

python -m benchmarks.rate_range --part tuning             the pairs on which the method was chosen
python -m benchmarks.rate_range --part measuring          the others

For each pair of model and data of benchmarks/accuracy and each optimizer, from one start (initial weights, and the
state of the loader): trainings over a log grid of ten rates, half a decade apart; the checkup's rate; and a training
with that. A training's loss is that of its best epoch on the validation split; with several starts, the mean over them,
the best of the grid being one rate for all. The checkup is called as its page shows it: with the loader, the validation
split and the planned number of steps, and with the time that the check of the rate has in a checkup of 75 s, counted in
CPU seconds, so that other work on the machine does not matter.

--reordered trains with the examples in another order than the checkup saw; the best of a grid in one order is itself
within 5 % of the best in another one in three cases of four. --between takes a grid whose rates lie between those that
the checkup tries.

Four shares are reported, from strict to lenient; the first one is hard on losses near zero, and on validation splits of
70 to 500 examples, as most are here:

- within 5 % of the best of the grid;
- the same, where losses below a thousandth of the untrained one all count as that: the task is solved;
- the same, or not worse by more than the error of the validation split (paired, one-sided, 95 %);
- within 5 % of the way from the untrained loss to the best one.

Trainings are kept in a file, and not made twice.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
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

OPTIMIZERS: dict[str, tuple[dict[str, Any], float]] = {  # settings, and the grid's lowest rate
    "SGD": ({"momentum": 0.9}, 1e-4),
    "Adam": ({}, 1e-5),
    "RMSprop": ({}, 1e-5),
    "AdamW": ({"weight_decay": 0.01}, 1e-5),
}
POINTS = 10
HALF_DECADE = math.sqrt(10.0)
SAME = 0.05
SOLVED = 1e-3  # of the untrained loss
SECONDS = 40.0  # of CPU: what the checks before it, which are quick for models as small as these, leave it of 75 s
EIGHTH = 10 ** (1 / 8)  # of a decade: half of the distance of the rates that the checkup tries
ONE_SIDED = 1.645  # standard errors: 95 %


@dataclass(frozen=True)
class Case:
    """One pair of model and data with one optimizer and one start."""

    part: str
    pair: int
    optimizer: str
    seed: int
    reordered: bool = False  # the training meets its examples in another order than the checkup did

    @property
    def program(self) -> Program:
        """The program, with the case's seed."""
        return replace(PARTS[self.part][self.pair], seed=self.seed)

    def start(self, rate: float) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Return the model, initialised as always, and its optimizer."""
        torch.manual_seed(self.seed)
        model = make_model(self.program, load(self.program.data))
        settings, _ = OPTIMIZERS[self.optimizer]
        made: torch.optim.Optimizer = getattr(torch.optim, self.optimizer)(model.parameters(), lr=rate, **settings)
        return model, made

    def loader(self, reordered: bool = False) -> DataLoader[Any]:
        """Return the loader of the training split as it is before the first epoch."""
        data = load(self.program.data)
        random = torch.Generator().manual_seed(2 * self.seed + reordered)
        dataset = TensorDataset(data.inputs, data.targets)
        return DataLoader(dataset, self.program.batch_size, shuffle=True, drop_last=True, generator=random)

    def grid(self, between: bool) -> list[float]:
        """Return the ten rates."""
        lowest = OPTIMIZERS[self.optimizer][1] * (EIGHTH if between else 1.0)
        return [lowest * HALF_DECADE**point for point in range(POINTS)]


@dataclass(frozen=True)
class Trained:
    """One whole training: losses of the validation examples, untrained and at the best epoch."""

    untrained: float
    losses: list[float]  # [] if it broke

    @property
    def loss(self) -> float:
        """The mean at the best epoch."""
        return sum(self.losses) / len(self.losses) if self.losses else math.inf


def train(case: Case, rate: float) -> Trained:
    """Train the case's program with a rate to the end, and return what came of it."""
    program, data = case.program, load(case.program.data)
    model, optimizer = case.start(rate)
    loader = case.loader(case.reordered)
    steps = program.epochs * len(loader)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps) if "cosine" in program.schedule else None
    best = untrained = _evaluate(model, data)
    for _ in range(program.epochs):
        for inputs, targets in loader:
            loss = losses_of(model(inputs), targets).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            if cosine is not None:
                cosine.step()
        values = _evaluate(model, data)
        if not values.mean().isfinite():
            return Trained(float(untrained.mean()), [])
        best = min(best, values, key=lambda one: float(one.mean()))
    return Trained(float(untrained.mean()), [float(f"{value:.5g}") for value in best.tolist()])


def losses_of(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the loss of each example."""
    if targets.is_floating_point():
        return F.mse_loss(outputs, targets, reduction="none").flatten(1).mean(1)
    flat = F.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1), reduction="none")
    return flat.view(len(targets), -1).mean(1)


def _evaluate(model: nn.Module, data: Data) -> Tensor:
    model.eval()
    with torch.no_grad():
        losses = losses_of(model(data.validation_inputs), data.validation_targets)
    model.train()
    return losses


def suggestion(case: Case, validated: bool, planned: bool) -> float | None:
    """Return the rate that the checkup suggests, given the loader, maybe the validation split, maybe the length."""
    program, data = case.program, load(case.program.data)
    model, optimizer = case.start(1e-3)
    loader = case.loader()
    held = DataLoader(TensorDataset(data.validation_inputs, data.validation_targets), program.batch_size)
    with mock.patch.object(time, "monotonic", time.process_time):
        report = trainhealth.checkup(
            model,
            lambda outputs, targets: losses_of(outputs, targets).mean(),
            loader,
            optimizer,
            validation=held if validated else None,
            only=["rate-range"],
            seconds=SECONDS,
            total_steps=program.epochs * len(loader) if planned else None,
            progress=False,
        )
    rate = report.advice.get("learning_rate")
    return None if rate is None else float(rate)


class Store:
    """Trainings that have been made, in a file of JSON lines."""

    def __init__(self, file: Path) -> None:
        self._file = file
        lines = file.read_text().splitlines() if file.exists() else []
        self._known = {key: Trained(**trained) for key, trained in map(json.loads, lines)}

    def train(self, case: Case, rate: float) -> Trained:
        """Return the training of a case with a rate, made now if it is not known."""
        order = "-reordered" if case.reordered else ""
        key = f"{case.part}-{case.pair}-{case.optimizer}-{case.seed}{order}-{rate:.6g}"
        if key not in self._known:
            self._known[key] = train(case, rate)
            with self._file.open("a") as lines:
                lines.write(json.dumps([key, asdict(self._known[key])]) + "\n")
        return self._known[key]


def judge(suggested: Trained, best: Trained) -> tuple[bool, bool, bool, bool]:
    """Return whether the suggested rate is good: strictly, solved, but for the split's error, and by the way gone."""
    if not suggested.losses:
        return False, False, False, False
    strict = suggested.loss <= (1 + SAME) * best.loss
    solved = strict or suggested.loss <= SOLVED * best.untrained
    worse = torch.tensor(suggested.losses) - (1 + SAME) * torch.tensor(best.losses)
    error = float(worse.std()) / math.sqrt(len(worse))
    way = suggested.loss - best.loss <= SAME * (best.untrained - best.loss)
    return strict, solved, solved or float(worse.mean()) <= ONE_SIDED * error, way


def over_starts(trained: Sequence[Trained]) -> Trained:
    """Return trainings from several starts as one, whose losses are those of all of them; broken if one is."""
    losses = [loss for one in trained for loss in one.losses] if all(one.losses for one in trained) else []
    return Trained(sum(one.untrained for one in trained) / len(trained), losses)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=list(PARTS), default="measuring")
    parser.add_argument("--optimizers", nargs="+", choices=list(OPTIMIZERS), default=["SGD", "Adam", "RMSprop"])
    parser.add_argument("--starts", type=int, default=1, help="initial weights and orders of the examples")
    parser.add_argument("--unvalidated", action="store_true", help="don't give the checkup the validation split")
    parser.add_argument("--unplanned", action="store_true", help="don't tell the checkup how long the run will be")
    parser.add_argument("--reordered", action="store_true", help="train in another order than the checkup saw")
    parser.add_argument("--between", action="store_true", help="a grid between the rates that the checkup tries")
    parser.add_argument("--grid-only", action="store_true", help="only make the grid's trainings")
    parser.add_argument("--results", type=Path, default=Path(tempfile.gettempdir()) / "trainhealth-rate-range.jsonl")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    store = Store(chosen.results)
    verdicts = []
    for optimizer in chosen.optimizers:
        for pair, program in enumerate(PARTS[chosen.part]):
            if program.model == "gan":
                continue  # two models, whose losses are no measure of how far they got
            cases = [Case(chosen.part, pair, optimizer, seed, chosen.reordered) for seed in range(chosen.starts)]
            rates = cases[0].grid(chosen.between)
            grid = {rate: over_starts([store.train(case, rate) for case in cases]) for rate in rates}
            if chosen.grid_only:
                continue
            best = min(grid, key=lambda rate: grid[rate].loss)
            found = [suggestion(case, not chosen.unvalidated, not chosen.unplanned) for case in cases]
            trained = over_starts([_trained(store, case, rate) for case, rate in zip(cases, found, strict=True)])
            verdict = judge(trained, grid[best])
            verdicts.append(verdict)
            shown = ", ".join("none" if rate is None else f"{rate:.2g}" for rate in found)
            print(
                f"| {program.model} on {program.data} | {optimizer} | {best:.2g} | {grid[best].loss:.4g} | {shown} "
                f"| {trained.loss:.4g} | {' | '.join('yes' if one else 'no' for one in verdict)} |",
                flush=True,
            )
    names = ("strict", "solved", "but for the split's error", "by the way gone")
    for name, hits in zip(names, zip(*verdicts, strict=True), strict=False):  # no verdicts with --grid-only
        print(f"{name}: {sum(hits)} of {len(hits)}")


def _trained(store: Store, case: Case, rate: float | None) -> Trained:
    return Trained(math.nan, []) if rate is None else store.train(case, rate)


if __name__ == "__main__":
    main()
