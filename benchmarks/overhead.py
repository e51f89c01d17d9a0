"""What watching costs: the time of watched steps over that of bare ones, in one process, in alternating blocks.

    python benchmarks/overhead.py [--seconds 120] [--models "small MLP" …] [--watchers "trainhealth, default" …]

Bare and watched steps train two equal models. Blocks of each alternate, so that whatever else the machine does falls
on both. The dense beginning, which the start-up allowance pays for, is not counted; the powers of two after it are. The
budget holds over 1,000 steps or a minute, so half of `--seconds` should be no less. The last columns are what
trainhealth says of itself.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.models import TASKS, Task
from benchmarks.peers import WATCHERS, Make, Ours, Watcher

BLOCK = 0.25  # seconds, at least
BLOCK_STEPS = 8  # at least: the other training's block must be a pause to the watcher, and not a slow step
WARM_UP = 60.0  # seconds at most, until the start-up allowance is used


class Training:
    """One model in training, watched or not."""

    def __init__(self, task: Task, make: Make | None, folder: Path) -> None:
        self.task = task
        self.optimizer = torch.optim.SGD(task.model.parameters(), lr=1e-4, momentum=0.9)
        self.watcher: Watcher | None = None if make is None else make(task.model, self.optimizer, folder)

    def block(self, seconds: float) -> tuple[int, float, float]:
        """Train for `seconds`; return (steps, wall seconds, CPU seconds)."""
        wall, cpu, steps = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - wall < seconds:
            loss, logits = self.task.loss()
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            self.optimizer.step()
            if self.watcher is not None:
                self.watcher.step(loss, logits, self.task.targets)
            steps += 1
        return steps, time.perf_counter() - wall, time.process_time() - cpu


def measure(name: str, watcher: str, duration: float) -> str:
    """Return one row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        bare = Training(TASKS[name](), None, Path(folder))
        torch.manual_seed(0)
        watched = Training(TASKS[name](), WATCHERS[watcher], Path(folder))
        assert watched.watcher is not None
        governor = watched.watcher.governor if isinstance(watched.watcher, Ours) else None
        made, seconds, _ = bare.block(1.0)
        block = max(BLOCK, BLOCK_STEPS * seconds / made)
        watched.block(1.0)
        began = time.perf_counter()
        while governor and governor.starting and time.perf_counter() - began < WARM_UP:
            watched.block(block)
        totals = [[0.0] * 3, [0.0] * 3]
        for _ in range(max(2, round(duration / (2 * block)))):
            for total, training in zip(totals, (bare, watched), strict=True):
                for column, value in enumerate(training.block(block)):
                    total[column] += value
        watched.watcher.close()
    (steps, wall, cpu), (watched_steps, watched_wall, watched_cpu) = totals
    ratios = [watched_cpu / watched_steps / (cpu / steps), watched_wall / watched_steps / (wall / steps)]
    own = f"{1000 * governor.sample_cost:.2f} ms | {governor.interval}" if governor else "|"
    return f"| {name} | {watcher} | {1000 * cpu / steps:.2f} ms | {ratios[0]:.3f} | {ratios[1]:.3f} | {own} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0, help="of measuring, a row")
    parser.add_argument("--models", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--watchers", nargs="*", default=list(WATCHERS), choices=list(WATCHERS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| model | watched by | bare step, CPU | CPU ratio | wall ratio | a sample | interval |")
    print("|---|---|---|---|---|---|---|")
    for name in arguments.models:
        for watcher in arguments.watchers:
            print(measure(name, watcher, arguments.seconds), flush=True)


if __name__ == "__main__":
    main()
