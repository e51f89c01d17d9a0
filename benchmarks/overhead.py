"""What watching costs: the time of watched steps over that of bare ones, in one process, in alternating blocks.

    python benchmarks/overhead.py [--seconds 120] [--models "small MLP" …] [--watchers "trainhealth, default" …]

Bare and watched steps train two equal models. Blocks of each alternate, so that whatever else the machine does falls
on both. The dense beginning, which the start-up allowance pays for, is not counted; all that comes after it is. The
budget holds over 1,000 steps or a minute, so half of `--seconds` should be no less.

The ratios of means are of CPU and wall time. On a machine that has other work to do they scatter by more than what is
measured; "typical" then tells more: the median of steps that are not sampled, and by how much longer, in the mean, a
sampled one is (with those before and after it, which share its cost). The last columns are what trainhealth says.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.models import TASKS, Task
from benchmarks.peers import WATCHERS, Make, Ours, Watcher

BLOCK = 0.25  # seconds, at least
BLOCK_STEPS = 8  # at least: the other training's block must be a pause to the watcher, and not a slow step
WARM_UP = 60.0  # seconds at most, until the start-up allowance is used
# The allocator gives memory back to the system and asks for it again, or does not, as it happens to lie: 600 page
# faults a step in one of two equal trainings, which is more than what is measured.
ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 30)}


@dataclass
class Steps:
    """What steps took, one after the other: CPU seconds of the process, whether it was sampled; and the whole."""

    cpu: list[float]
    sampled: list[bool]
    wall: float = 0.0
    whole_cpu: float = 0.0

    @property
    def typical(self) -> float | None:
        """CPU seconds of a step: the median of those far from a sample, and by how much longer the others are.

        None where no step is far from a sample, or none near one.
        """
        near = [any(self.sampled[max(i - 1, 0) : i + 2]) for i in range(len(self.sampled))]
        plain = [cpu for cpu, close in zip(self.cpu, near, strict=True) if not close]
        around = [cpu for cpu, close in zip(self.cpu, near, strict=True) if close]
        if not plain or not around:
            return None
        longer = statistics.mean(around) - statistics.mean(plain)
        return statistics.median(plain) + longer * len(around) / len(near)


class Training:
    """One model in training, watched or not."""

    def __init__(self, task: Task, make: Make | None, folder: Path) -> None:
        self.task = task
        self.optimizer = torch.optim.SGD(task.model.parameters(), lr=1e-4, momentum=0.9)
        self.watcher = Watcher() if make is None else make(task.model, self.optimizer, folder)

    def block(self, seconds: float, steps: Steps) -> None:
        """Train for `seconds`."""
        sampler = self.watcher.sampler if isinstance(self.watcher, Ours) else None
        wall, cpu = time.perf_counter(), time.process_time()
        ended = cpu
        while time.perf_counter() - wall < seconds:
            steps.sampled.append(sampler is not None and sampler.sample is not None)
            loss, logits = self.task.loss()
            self.optimizer.zero_grad()
            self.watcher.backward(loss, logits, self.task.targets)
            self.optimizer.step()
            self.watcher.step(loss, logits, self.task.targets)
            began, ended = ended, time.process_time()
            steps.cpu.append(ended - began)
        steps.wall += time.perf_counter() - wall
        steps.whole_cpu += time.process_time() - cpu


def measure(name: str, watcher: str, duration: float) -> str:
    """Return one row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        bare = Training(TASKS[name](), None, Path(folder))
        torch.manual_seed(0)
        watched = Training(TASKS[name](), WATCHERS[watcher], Path(folder))
        governor = watched.watcher.governor if isinstance(watched.watcher, Ours) else None
        warm_up = Steps([], [])
        bare.block(1.0, warm_up)
        block = max(BLOCK, BLOCK_STEPS * warm_up.wall / len(warm_up.cpu))
        watched.block(1.0, warm_up)
        began = time.perf_counter()
        while governor and governor.starting and time.perf_counter() - began < WARM_UP:
            watched.block(block, warm_up)
        both = Steps([], []), Steps([], [])
        for _ in range(max(2, round(duration / (2 * block)))):
            for steps, training in zip(both, (bare, watched), strict=True):
                training.block(block, steps)
        watched.watcher.close()
    own = f"{1000 * governor.sample_cost:.2f} ms | {governor.interval}" if governor else "|"
    return f"| {name} | {watcher} | {_ratios(*both)} | {own} |"


def _ratios(bare: Steps, watched: Steps) -> str:
    counts = len(bare.cpu), len(watched.cpu)
    cpu = watched.whole_cpu / counts[1] / (bare.whole_cpu / counts[0])
    wall = watched.wall / counts[1] / (bare.wall / counts[0])
    step = statistics.median(bare.cpu)
    typical = "" if watched.typical is None else f"{watched.typical / step:.3f}"
    return f"{1000 * step:.2f} ms | {cpu:.3f} | {wall:.3f} | {typical}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0, help="of measuring, a row")
    parser.add_argument("--models", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--watchers", nargs="*", default=list(WATCHERS), choices=list(WATCHERS))
    arguments = parser.parse_args()
    if not ALLOCATOR.keys() <= os.environ.keys():  # it reads them when the process begins
        os.execve(sys.executable, [sys.executable, *sys.argv], {**ALLOCATOR, **os.environ})
    torch.set_num_threads(1)
    print("| model | watched by | bare step, CPU | CPU ratio | wall ratio | typical | a sample | interval |")
    print("|---|---|---|---|---|---|---|---|")
    for name in arguments.models:
        for watcher in arguments.watchers:
            print(measure(name, watcher, arguments.seconds), flush=True)


if __name__ == "__main__":
    main()
