"""The gradients' noise as the ranks of a distributed training show it, computed a second, naive way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trainhealth
from tests.hooks.test_distributed import trained
from tests.hooks.test_gradient_signals import noise_scales

pytestmark = pytest.mark.slow

SIZE = 6  # examples of a micro-batch

KINDS = ("plain", "inner", "accumulated", "kept", "views", "channels_last", "alone")

SCRIPT = """
import contextlib, copy, json, os, sys, torch, trainhealth
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
torch.set_num_threads(1)
kinds, folder = sys.argv[1].split(), sys.argv[2]
dist.init_process_group("gloo")

def gradients(model):
    return torch.cat([parameter.grad.double().flatten() for parameter in model.parameters()])

def trained(kind):
    torch.manual_seed(0)
    inner = model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
    if kind == "channels_last":
        inner.to(memory_format=torch.channels_last)
    if kind != "alone":
        model = DistributedDataParallel(model, gradient_as_bucket_view=kind == "views")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watched = inner if kind == "inner" else model
    watch = None
    if folder != "-":
        watch = trainhealth.watch(watched, optimizer, run_dir=f"{folder}/{kind}", overhead=1.0)
    random, losses, own, means = torch.Generator().manual_seed(dist.get_rank()), [], [], []
    micro_batches = 3 if kind == "accumulated" else 1
    for step in range(12):
        alone = copy.deepcopy(inner)  # of which nothing is averaged
        alone.zero_grad()
        standing = gradients(inner) if kind == "kept" and step else 0
        for micro in range(micro_batches):
            x, y = torch.randn(6, 1, 4, 4, generator=random), torch.randint(0, 3, (6,), generator=random)
            nn.functional.cross_entropy(alone(x), y).backward()
            last = micro == micro_batches - 1
            with contextlib.nullcontext() if last or kind == "alone" else model.no_sync():
                loss = nn.functional.cross_entropy(model(x), y)
                loss.backward()
            losses.append(loss.item())
            if last:
                own.append((gradients(alone) ** 2).sum().item())
                means.append(((gradients(inner) - standing) ** 2).sum().item())
                optimizer.step()
            if watch is not None:
                watch.step(loss)
        if kind != "kept":
            optimizer.zero_grad()
    if watch is not None:
        watch.close()
    weights = [parameter.tolist() for parameter in inner.parameters()]
    bare = all(parameter._backward_hooks is None for parameter in inner.parameters())
    calls = dist.group.WORLD._get_sequence_number_for_group()
    facts = {"losses": losses, "weights": weights, "bare": bare, "calls": calls}
    return {"facts": facts, "own": own, "means": means}

print(json.dumps({kind: trained(kind) for kind in kinds}))
dist.destroy_process_group()
"""


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ranks")


@pytest.fixture(scope="module")
def watched(run_folder: Path) -> list[dict[str, Any]]:
    """What two ranks have seen of every kind of training, watched."""
    return trained(" ".join(KINDS), run_folder, 2, SCRIPT)


@pytest.mark.timeout(300)
def test_ranks_train_the_same(watched: list[dict[str, Any]]) -> None:
    """Losses, weights, hooks on parameters and collectives are those of an unwatched training."""
    bare = trained(" ".join(KINDS), "-", 2, SCRIPT)
    for kind in KINDS:
        assert [rank[kind]["facts"] for rank in watched] == [rank[kind]["facts"] for rank in bare]
        assert all(rank[kind]["facts"]["bare"] for rank in watched)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS[:-1])
def test_ranks_show_the_noise_of_gradients(watched: list[dict[str, Any]], run_folder: Path, kind: str) -> None:
    """|G|^2 is the product of two ranks' gradients, their mean square has the noise of one rank's batch too."""
    run = trainhealth.load(run_folder / kind).view
    assert not [event for event in run.events if event.event.endswith("disabled")]
    for number, rank in enumerate(watched):
        ratios = np.array(rank[kind]["own"]) / np.array(rank[kind]["means"])
        assert run.by_rank[number].series("rank_gradient_ratio").values == pytest.approx(ratios, rel=1e-3)
    squares = np.mean([rank[kind]["own"] for rank in watched], axis=0)
    products = 2 * np.array(watched[0][kind]["means"]) - squares  # |g + h|^2 / 2 = (|g|^2 + |h|^2) / 2 + g h
    size = SIZE * (3 if kind == "accumulated" else 1)
    expected = noise_scales(list(products), list(squares), size)
    assert run.series("gradient_noise_scale").values.tolist() == pytest.approx(expected, rel=1e-2)


@pytest.mark.timeout(300)
def test_processes_that_average_nothing_show_no_noise(watched: list[dict[str, Any]], run_folder: Path) -> None:
    """Each trains for itself: successive steps are compared, as in one process."""
    assert len(watched) == 2
    run = trainhealth.load(run_folder / "alone").view
    assert not run.has("rank_gradient_ratio")
    assert len(run.series("gradient_noise_scale")) == 11
