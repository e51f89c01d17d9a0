"""What a step that is not sampled costs: in a training loop of half a millisecond a step, and by itself.

    python benchmarks/plain_step.py [--seconds 60]

Blocks of four equal trainings alternate: bare, with the loss read, watched, and bare again, which tells how exact the
rest is. Of the wall time of each step the tenth percentile is compared: steps that nothing has disturbed. By itself
means the same calls in a loop that does nothing else, so that all caches are warm.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

import trainhealth
from benchmarks.models import small_mlp

BLOCK = 200  # steps
KINDS = ("bare", "bare, loss read", "watched", "bare again")


class Training:
    """A small MLP in training; how long each step has taken that was not sampled."""

    def __init__(self, kind: str, folder: Path) -> None:
        torch.manual_seed(0)
        self.task, self.seconds = small_mlp(), [0.0]
        self._reads = kind == "bare, loss read"
        self._optimizer = torch.optim.SGD(self.task.model.parameters(), lr=1e-4, momentum=0.9)
        watched = kind == "watched"
        self.watch = trainhealth.watch(self.task.model, self._optimizer, run_dir=folder) if watched else None

    def block(self, steps: int) -> None:
        """Train for so many steps."""
        sampler = self.watch.recorder.sampler if self.watch is not None else None
        for _ in range(steps):
            sampled = sampler is not None and (sampler.sample is not None or sampler.eve)
            began = time.perf_counter()
            loss, logits = self.task.loss()
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            self._optimizer.step()
            if self._reads:
                loss.item()
            if self.watch is not None:
                self.watch.step(loss, outputs=logits, targets=self.task.targets)
            if not sampled:
                self.seconds.append(time.perf_counter() - began)

    def undisturbed(self) -> float:
        """Return the seconds that a step takes which nothing has disturbed."""
        return sorted(self.seconds)[len(self.seconds) // 10]


def by_itself(folder: Path, calls: int = 20_000) -> float:
    """Return the CPU seconds of the optimizer's hooks and `watch.step` in a loop of nothing else, records written."""
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    loss, outputs, targets = torch.tensor(1.0), torch.zeros(64, 10), torch.zeros(64, dtype=torch.int64)
    costs = []
    for watched in (False, True):
        watch = trainhealth.watch(model, optimizer, run_dir=folder, probes=[]) if watched else None
        for number in range(calls + 2000):
            if number == 2000:  # by then writes are gathered, and the root's hook is off
                began = time.process_time()
            optimizer.step()
            if watch is not None:
                watch.step(loss, outputs=outputs, targets=targets)
        if watch is not None:
            watch.close()
        costs.append((time.process_time() - began) / calls)
    return costs[1] - costs[0]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of measuring")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        trainings = {kind: Training(kind, Path(folder) / "run") for kind in KINDS}
        watch = trainings["watched"].watch
        while watch is not None and watch.recorder.governor.starting:
            trainings["watched"].block(BLOCK)
        for training in trainings.values():
            training.seconds.clear()
        began = time.perf_counter()
        while time.perf_counter() - began < arguments.seconds:
            for training in trainings.values():
                training.block(BLOCK)
        print("| step | microseconds | more than bare |")
        print("|---|---|---|")
        bare = trainings["bare"].undisturbed()
        for kind, training in trainings.items():
            print(f"| {kind} | {1e6 * training.undisturbed():.1f} | {1e6 * (training.undisturbed() - bare):.1f} |")
        if watch is not None:
            watch.close()
        print(f"| the calls by themselves | | {1e6 * by_itself(Path(folder) / 'calls'):.1f} |")


if __name__ == "__main__":
    main()
