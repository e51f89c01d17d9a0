"""The callback in two processes that train one model: a file each, and one end for both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import trainhealth

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the training imports a framework in three processes
SCRIPT = """
import json, sys
from pathlib import Path
import torch
from torch import distributed, nn
from transformers import Trainer, TrainingArguments
from trainhealth_transformers import TrainHealthCallback

torch.set_num_threads(1)

class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        self.losses = []

    def forward(self, inputs, labels):
        logits = self.net(inputs)
        loss = nn.functional.cross_entropy(logits, labels)
        if torch.is_grad_enabled():
            if len(self.losses) >= 8 and distributed.get_rank() == 1:
                loss = loss * float("nan")
            self.losses.append(loss.item())
        return {"loss": loss, "logits": logits}

torch.manual_seed(7)
folder, model = Path(sys.argv[1]), Classifier()
rows = torch.randn(96, 4)
data = [{"inputs": row, "labels": row[:3].argmax()} for row in rows]
settings = dict(output_dir=str(folder / "out"), num_train_epochs=4, per_device_train_batch_size=8, report_to="none",
                eval_strategy="epoch", save_strategy="no", use_cpu=True, ddp_backend="gloo", disable_tqdm=True)
callback = TrainHealthCallback(folder / "run", stop_on="critical")
trainer = Trainer(model=model, args=TrainingArguments(**settings), train_dataset=data, eval_dataset=data[:32],
                  callbacks=[callback])
trainer.train()
done = {"losses": model.losses, "step": trainer.state.global_step}
(folder / f"rank-{distributed.get_rank()}.json").write_text(json.dumps(done))
"""


def test_ranks_have_a_file_each_and_end_together(tmp_path: Path) -> None:
    """A NaN on the second rank ends both after the epoch in which the first one sees it; why is said once."""
    script = tmp_path / "training.py"
    script.write_text(SCRIPT)
    launcher = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launcher, str(script), str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ranks = [json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in (0, 1)]
    assert [rank["step"] for rank in ranks] == [12, 12]
    assert done.stderr.count("trainhealth: training ends") == 1
    run = trainhealth.load(tmp_path / "run").view
    assert run.ranks == (0, 1)
    means = [sum(losses) / 2 for losses in zip(*(rank["losses"] for rank in ranks), strict=True)]
    assert run.series("train_loss").values[:8] == pytest.approx(means[:8], rel=1e-6)
    assert run.series("validation_loss").steps.tolist() == [6, 12]
