"""The callback in two processes that average their gradients: one log, and an end that both share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import trainhealth

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("keras", reason="keras is not installed: pip install keras")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # each training imports a framework in three processes
SCRIPT = """
import json, sys
from pathlib import Path
import keras, numpy as np, torch
from torch import distributed
from trainhealth_keras import TrainHealthCallback

class Averaging(keras.optimizers.SGD):
    def apply(self, gradients, variables=None):
        for gradient in gradients:
            gradient.nan_to_num_()
            distributed.all_reduce(gradient)
            gradient /= distributed.get_world_size()
        return super().apply(gradients, variables)

distributed.init_process_group("gloo")
rank, poisoned = distributed.get_rank(), sys.argv[2] == "poisoned"
keras.utils.set_random_seed(7)
inputs = np.random.default_rng(rank).normal(size=(60, 4)).astype("float32")
labels = inputs[:, :3].argmax(1)
if poisoned and rank == 1:
    inputs[:] = np.nan
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(3)])
model.compile(Averaging(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
callbacks = [TrainHealthCallback(sys.argv[1], stop_on="critical")] if sys.argv[1] != "-" else []
history = model.fit(inputs, labels, batch_size=10, epochs=3, shuffle=False, verbose=0, callbacks=callbacks)
weight = sum(float(np.abs(weights).sum()) for weights in model.get_weights())
done = {"losses": history.history["loss"], "weight": weight}
Path(__file__).with_name(f"rank-{rank}.json").write_text(json.dumps(done))
distributed.destroy_process_group()
"""


def train(tmp_path: Path, folder: Path | str, data: str = "whole") -> tuple[list[dict[str, Any]], str]:
    """Return what each rank computed, and what comes to stderr."""
    script = tmp_path / "training.py"
    script.write_text(SCRIPT)
    launcher = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    rendezvous = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1"]
    command = [*launcher, *rendezvous, str(script), str(folder), data]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in range(2)], done.stderr


def test_both_ranks_log_and_nothing_changes(tmp_path: Path) -> None:
    """The log's losses are the means over the ranks, and both end with the weights that they have without it."""
    watched, _ = train(tmp_path, tmp_path / "run")
    plain, _ = train(tmp_path, "-")
    assert watched == plain
    assert watched[0]["weight"] == watched[1]["weight"]
    run = trainhealth.load(tmp_path / "run").view
    losses = run.series("train_loss")
    assert list(losses.steps) == list(range(18))
    means = [sum(epoch) / 2 for epoch in zip(*(rank["losses"] for rank in watched), strict=True)]
    assert losses.values.reshape(3, 6).mean(1) == pytest.approx(means, rel=1e-5)
    assert run.ended == "closed"


def test_both_ranks_end_after_the_epoch_in_which_one_asks_for_it(tmp_path: Path) -> None:
    """One that ended alone would be waited for by the other's gradients; why it ends is said once."""
    ranks, errors = train(tmp_path, tmp_path / "run", "poisoned")
    assert [len(rank["losses"]) for rank in ranks] == [1, 1]
    assert errors.count("trainhealth: training ends: ") == 1
    assert trainhealth.load(tmp_path / "run").view.ended == "closed"
