"""The handler in two processes that train one model: one log, no collective but for the end, which all ranks share."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import trainhealth

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # each training imports a framework in three processes
SCRIPT = """
import json, sys
from pathlib import Path
import torch
from ignite import distributed as idist
from ignite.engine import Engine, Events, create_supervised_evaluator
from ignite.metrics import Loss
from torch import nn
from trainhealth_ignite import TrainHealthHandler

def train(rank, folder, poisoned):
    torch.manual_seed(7)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    trained = idist.auto_model(model)
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.1)
    batches, losses = torch.randn(6, 20, 4).chunk(2, dim=1)[rank], []

    def process(engine, batch):
        loss = nn.functional.cross_entropy(trained(batch), batch[:, :3].argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        return float("nan") if rank == 1 and engine.state.iteration >= poisoned > 0 else loss.item()

    trainer = Engine(process)
    data = [(batch, batch[:, :3].argmax(1)) for batch in batches[:2]]
    evaluator = create_supervised_evaluator(model, {"loss": Loss(nn.functional.cross_entropy)})
    if folder != "-":
        handler = TrainHealthHandler(trained, optimizer, folder, stop_on="critical")
        handler.attach(trainer, validation=evaluator)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run(data))
    trainer.run(list(batches), max_epochs=3)
    weight = model[0].weight.sum().item()
    done = {"losses": losses, "weight": weight, "loss": evaluator.state.metrics["loss"]}
    Path(__file__).with_name(f"rank-{rank}.json").write_text(json.dumps(done))

with idist.Parallel(backend="gloo") as parallel:
    parallel.run(train, sys.argv[1], int(sys.argv[2]))
"""


def train(tmp_path: Path, folder: Path | str, poisoned: int = 0) -> tuple[list[dict[str, Any]], str]:
    """Return what each rank computed, and what comes to stderr; rank 1 tells NaN from iteration `poisoned` on."""
    script = tmp_path / "training.py"
    script.write_text(SCRIPT)
    launcher = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    rendezvous = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1"]
    command = [*launcher, *rendezvous, str(script), str(folder), str(poisoned)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in range(2)], done.stderr


def test_both_ranks_log_and_nothing_changes(tmp_path: Path) -> None:
    """The log's losses are the means over the ranks, and both end with the weights that they have without it."""
    watched, _ = train(tmp_path, tmp_path / "run")
    plain, _ = train(tmp_path, "-")
    assert watched == plain
    run = trainhealth.load(tmp_path / "run").view
    means = [sum(losses) / 2 for losses in zip(*(rank["losses"] for rank in watched), strict=True)]
    assert run.series("train_loss").values == pytest.approx(means, rel=1e-6)
    assert list(run.series("train_loss").steps) == list(range(18))
    assert run.series("validation_loss").values[-1] == pytest.approx(watched[0]["loss"], rel=1e-6)
    assert run.ended == "closed"


def test_both_ranks_end_after_the_epoch_in_which_one_asks_for_it(tmp_path: Path) -> None:
    """One that ended alone would be waited for by the other's backward; why it ends is said once."""
    ranks, errors = train(tmp_path, tmp_path / "run", poisoned=9)
    assert [len(rank["losses"]) for rank in ranks] == [12, 12]
    assert errors.count("trainhealth: training ends at iteration 12: ") == 1
    assert trainhealth.load(tmp_path / "run").view.ended == "closed"
