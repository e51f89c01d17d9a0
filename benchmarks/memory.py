"""What watching takes in memory: beside a large model, and over many steps of a small one.

    python benchmarks/memory.py [--steps 20000]

Every training runs in a process of its own, bare and watched; resident memory is read at the same steps of both, after
the garbage of Python is collected. All steps are sampled beside the large model, which is the most that watching takes.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile

import torch
from torch import nn

import trainhealth
from trainhealth.hooks.probes.machine import resident_memory

LARGE = 20  # steps of the large model


def train(kind: str, folder: str, steps: int) -> list[float]:
    """Train, watched where `folder` is not empty; return the resident memory in MiB at ten equal distances."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    width, layers = (1024, 19) if kind == "large" else (16, 2)
    model = nn.Sequential(*(part for _ in range(layers) for part in (nn.Linear(width, width), nn.ReLU())))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    inputs = torch.randn(16, width)
    overhead = 1.0 if kind == "large" else 0.02
    watch = trainhealth.watch(model, optimizer, run_dir=folder, overhead=overhead) if folder else None
    read = []
    for step in range(steps):
        loss = (model(inputs) - inputs).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if watch is not None:
            watch.step(loss)
        if (step + 1) % (steps // 10) == 0:
            gc.collect()
            read.append((resident_memory() or 0.0) / 2**20)
    return read


def measured(kind: str, steps: int, *, watched: bool) -> list[float]:
    """Return what a process of its own has read."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [kind, f"{folder}/run" if watched else "", str(steps)]
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.memory", "--alone", *arguments]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(number) for number in json.loads(told.splitlines()[-1])]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20_000, help="of the small model")
    parser.add_argument("--alone", nargs=3, metavar=("KIND", "FOLDER", "STEPS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        kind, folder, steps = arguments.alone
        print(json.dumps(train(kind, folder, int(steps))))
        return
    print("| training | resident, bare | watched | more | more after a tenth of it |")
    print("|---|---|---|---|---|")
    for kind, name, steps in (
        ("large", f"20 million parameters, {LARGE} steps, all sampled", LARGE),
        ("small", f"544 parameters, {arguments.steps} steps", arguments.steps),
    ):
        bare, watched = (measured(kind, steps, watched=watched) for watched in (False, True))
        early, late = watched[0] - bare[0], watched[-1] - bare[-1]
        print(f"| {name} | {bare[-1]:.1f} MiB | {watched[-1]:.1f} MiB | {late:.1f} MiB | {early:.1f} MiB |")


if __name__ == "__main__":
    main()
