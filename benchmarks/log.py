"""How fast scalars are logged and what they take, against TensorBoard's writer; how large a log becomes; memory.

python benchmarks/log.py [--records 200000] [--steps 100000] [--million 1000000]
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

import trainhealth
from trainhealth.hooks.governor import Governor
from trainhealth.hooks.writer import Writer
from trainhealth.records import encode_step
from trainhealth.watching import DISK

REPEAT = 3  # the fastest of so many counts: the machine has other things to do


def ours(path: Path, records: int) -> None:
    """Encode and write one record a step, each with a write of its own."""
    writer = Writer(path / "events-0.jsonl")
    for step in range(records):
        writer.write(encode_step(step, time.time(), 2.3 / (step + 1)))
    writer.close()


def tensorboard(path: Path, records: int) -> None:
    """Add one scalar a step."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(path))
    for step in range(records):
        writer.add_scalar("loss", 2.3 / (step + 1), step)
    writer.close()


def throughput(write: Callable[[Path, int], None], records: int) -> tuple[float, float]:
    """Return (records a second of CPU time, bytes a record), the best of a few."""
    best, size = 0.0, 0.0
    for _ in range(REPEAT):
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            write(Path(folder), records)
            best = max(best, records / (time.process_time() - began))
            size = sum(file.stat().st_size for file in Path(folder).iterdir()) / records
    return best, size


def size_of(steps: int) -> tuple[float, float, int]:
    """Return what the log of a long run of 100 layers takes, in MB: of steps, of samples; and how many samples.

    Every step would be sampled if it were for time: it is the disk budget that decides. The bytes of a record are those
    of a real training, the steps are the governor's own, on a clock that is turned.
    """
    with tempfile.TemporaryDirectory() as folder:
        layers = [module for _ in range(50) for module in (nn.Linear(8, 8), nn.ReLU())]
        model = nn.Sequential(*layers)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        with trainhealth.watch(model, optimizer, run_dir=Path(folder) / "run", overhead=1.0) as watch:
            for _ in range(100):
                inputs, targets = torch.randn(8, 8), torch.randint(0, 8, (8,))
                outputs = model(inputs)
                loss = nn.functional.cross_entropy(outputs, targets)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                optimizer.step()
                watch.step(loss, outputs=outputs, targets=targets)
        lines = (Path(folder) / "run" / "events-0.jsonl").read_bytes().splitlines(keepends=True)
    record = statistics.mean(len(line) for line in lines if line.startswith(b'{"kind":"step"')) + 4  # more digits
    sample = round(statistics.mean(len(line) for line in lines if line.startswith(b'{"kind":"sample"')))
    now, samples = 0.0, 0
    governor = Governor(1.0, DISK, clock=lambda: now, cpu_clock=lambda: now)
    for step in range(steps):
        now += 0.01
        if governor.wants(step):
            samples += 1
            governor.spent += 0.001
            governor.sampled(step, 0.001, sample)
        governor.step_finished(step + 1)
    return steps * record / 1e6, samples * sample / 1e6, samples


def memory(steps: int) -> list[tuple[int, float]]:
    """Return (step, peak memory of the process in MiB) at ten moments of a watched training."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    seen = []
    with tempfile.TemporaryDirectory() as folder:
        watch = trainhealth.watch(model, optimizer, run_dir=Path(folder) / "run")
        for step in range(1, steps + 1):
            loss = model(torch.randn(8, 16)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
            if step % (steps // 10) == 0:
                seen.append((step, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
        watch.close()
    return seen


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--million", type=int, default=1_000_000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| writer | records a second | bytes a record |")
    print("|---|---|---|")
    writers = {"trainhealth, one write a record": ours}
    if importlib.util.find_spec("tensorboard"):
        writers["TensorBoard, buffered"] = tensorboard
    for name, write in writers.items():
        speed, size = throughput(write, arguments.records)
        print(f"| {name} | {speed:,.0f} | {size:.0f} |", flush=True)
    of_steps, of_samples, samples = size_of(arguments.million)
    print(f"\n{arguments.million:,} steps, 100 layers: {of_steps:.0f} MB of steps, {of_samples:.0f} MB of", end=" ")
    print(f"{samples:,} samples", flush=True)
    print("\n| steps | peak memory |")
    print("|---|---|")
    for step, peak in memory(arguments.steps):
        print(f"| {step:,} | {peak:.1f} MiB |", flush=True)


if __name__ == "__main__":
    main()
