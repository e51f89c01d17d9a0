"""Distributed training: no collective of ours, and ranks that the reader merges to what one process would have seen."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trainhealth
from trainhealth.series import RunView

pytestmark = pytest.mark.slow

SCRIPT = """
import json, os, sys, torch, trainhealth
import torch.distributed as dist
from torch import nn
torch.set_num_threads(1)
kind, folder = sys.argv[1], sys.argv[2]
rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
torch.manual_seed(0)
inner = model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
with torch.no_grad():
    model[0].bias[:4] = -100.0  # four dead units
if world > 1:
    dist.init_process_group("gloo")
if kind == "ddp":
    model = nn.parallel.DistributedDataParallel(model)
if kind == "fsdp":
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    mesh = init_device_mesh("cpu", (world,))
    for layer in (model[0], model[2]):
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
watch = trainhealth.watch(model, optimizer, run_dir=folder, overhead=1.0) if folder != "-" else None
generator, losses = torch.Generator().manual_seed(1), []
for step in range(12):
    x = torch.randn(512, 6, generator=generator)
    y = torch.randint(0, 3, (512,), generator=generator)
    x, y = x.chunk(world)[rank], y.chunk(world)[rank]
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if watch is not None:
        watch.step(loss, targets=y)
if watch is not None:
    watch.close()
group = dist.group.WORLD
calls = group._get_sequence_number_for_group() if world > 1 else 0
print(json.dumps({"losses": losses, "calls": calls}))
if world > 1:
    dist.destroy_process_group()
"""


def trained(kind: str, folder: Path | str, world: int, script: str = SCRIPT) -> list[dict[str, Any]]:
    """Run the script in `world` processes and return what each has printed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    processes = []
    for rank in range(world):
        ours = common | ({"RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_RANK": str(rank)} if world > 1 else {})
        command = [sys.executable, "-W", "ignore", "-c", script, kind, str(folder)]
        processes.append(subprocess.Popen(command, env=ours, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    printed = [process.communicate(timeout=240) for process in processes]
    for process, (_, errors) in zip(processes, printed, strict=True):
        assert process.returncode == 0, errors.decode()[-2000:]
    return [json.loads(output.splitlines()[-1]) for output, _ in printed]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_ranks_train_the_same_and_merge_to_one_process(tmp_path: Path, kind: str) -> None:
    """Losses and collectives are those of an unwatched run; merged statistics are those of one process."""
    assert trained(kind, tmp_path / kind, 2) == trained(kind, "-", 2)
    trained("one", tmp_path / "one", 1)
    merged, one = (trainhealth.load(tmp_path / name).view for name in (kind, "one"))
    assert merged.ranks == (0, 1)
    assert not [event for event in merged.events if event.event.endswith("disabled")]
    _assert_close(merged, one, "train_loss")
    for signal in ("activation_mean", "activation_std"):
        _assert_close(merged, one, signal)
    for signal in ("parameter_gradient_norm", "parameter_norm", "gradient_nonfinite", "gradient_norm"):
        _assert_close(merged, one, signal)
    _assert_close(merged, one, "update_ratio", 0.1)  # parts are weighted by their norms after the update, not before
    assert [entry.sharded for entry in merged.parameters] == [kind == "fsdp"] * 4
    for run in (merged, one):  # their windows fill at different steps
        assert run.columns("dead_fraction").place("0/relu" if kind != "ddp" else run.layers[1].name).values[-1] == 0.25


def _assert_close(merged: RunView, one: RunView, signal: str, tolerance: float = 2e-3) -> None:
    if signal in one.scalars:
        np.testing.assert_allclose(merged.series(signal).values, one.series(signal).values, rtol=1e-4)
        return
    left, right = merged.columns(signal), one.columns(signal)
    assert [name.removeprefix("module.") for name in left.places] == list(right.places)
    np.testing.assert_allclose(left.values, right.values, rtol=tolerance, atol=1e-5, err_msg=signal)
