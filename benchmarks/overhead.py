"""What watching costs: the time of watched steps over that of bare ones, in one process, in alternating blocks.

    python benchmarks/overhead.py [--seconds 20] [--every-step] [--models "small MLP" …]

Bare and watched steps train two equal models. Blocks of each alternate, so that whatever else the machine does falls
on both. The first seconds, in which `watch` may spend its start-up allowance, are not counted.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

import trainhealth
from benchmarks.models import TASKS, Task
from trainhealth.hooks.governor import ALLOWANCE

BLOCK = 0.25  # seconds


class Training:
    """One model in training, watched or not."""

    def __init__(self, task: Task, run_dir: Path | None, overhead: float) -> None:
        self.task = task
        self.optimizer = torch.optim.SGD(task.model.parameters(), lr=1e-4, momentum=0.9)
        self.watch = None
        if run_dir is not None:
            self.watch = trainhealth.watch(task.model, self.optimizer, run_dir=run_dir, overhead=overhead)

    def block(self, seconds: float) -> tuple[int, float, float]:
        """Train for `seconds`; return (steps, wall seconds, CPU seconds)."""
        wall, cpu, steps = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - wall < seconds:
            loss, logits = self.task.loss()
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            self.optimizer.step()
            if self.watch is not None:
                self.watch.step(loss, outputs=logits, targets=self.task.targets)
            steps += 1
        return steps, time.perf_counter() - wall, time.process_time() - cpu


def measure(name: str, seconds: float, overhead: float) -> str:
    """Return one row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        bare = Training(TASKS[name](), None, overhead)
        torch.manual_seed(0)
        watched = Training(TASKS[name](), Path(folder) / "run", overhead)
        assert watched.watch is not None
        governor = watched.watch._governor
        bare.block(1.0)
        began = time.perf_counter()
        while governor.spent < ALLOWANCE / 2 + governor.overhead * governor.elapsed and overhead < 1:
            watched.block(BLOCK)  # let the start-up allowance be spent
            if time.perf_counter() - began > 60:
                break
        rows = []
        for _ in range(max(2, round(seconds / (2 * BLOCK)))):
            steps, wall, cpu = bare.block(BLOCK)
            watched_steps, watched_wall, watched_cpu = watched.block(BLOCK)
            rows.append((wall / steps, cpu / steps, watched_wall / watched_steps, watched_cpu / watched_steps))
        watched.watch.close()
    bare_wall, bare_cpu, watched_wall, watched_cpu = (statistics.mean(column) for column in zip(*rows, strict=True))
    return (
        f"| {name} | {1000 * bare_wall:.2f} ms | {watched_cpu / bare_cpu:.3f} | {watched_wall / bare_wall:.3f} "
        f"| {1000 * governor._sample_cost:.2f} ms | {governor.interval} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of measuring, a model")
    parser.add_argument("--every-step", action="store_true", help="sample every step instead of the default budget")
    parser.add_argument("--models", nargs="*", default=list(TASKS), choices=list(TASKS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| model | bare step | CPU ratio | wall ratio | a sample | interval |")
    print("|---|---|---|---|---|---|")
    for name in arguments.models:
        print(measure(name, arguments.seconds, 1.0 if arguments.every_step else 0.02), flush=True)


if __name__ == "__main__":
    main()
