"""Documents that hold a whole history: Hugging Face's, Keras', skorch's, anybody's."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

import trainhealth
from tests.readers.reading import read, signals
from tests.readers.writers import event_file
from trainhealth.runs import runs_of


def test_trainer_states_rows_are_of_training_or_evaluation(tmp_path: Path) -> None:
    """The mean over the run, in the last row, is no step's loss; a gradient may be NaN."""
    history = [
        {"epoch": 0.5, "grad_norm": 1.2, "learning_rate": 5e-05, "loss": 2.3, "step": 5},
        {"epoch": 1.0, "eval_loss": 2.0, "eval_accuracy": 0.4, "eval_runtime": 0.5, "step": 8},
        {"epoch": 1.5, "grad_norm": math.nan, "learning_rate": 2e-05, "loss": 1.8, "step": 10},
        {"epoch": 2.0, "step": 10, "total_flos": 1e12, "train_loss": 2.05, "train_runtime": 9.1},
    ]
    view = read(tmp_path, json.dumps({"global_step": 10, "log_history": history}, indent=2), "trainer_state.json")
    found = signals(view)
    assert found["train_loss"] == {5: 2.3, 10: 1.8}
    assert found["validation_loss"] == {8: 2.0}
    assert found["validation_accuracy"] == {8: 0.4}
    assert math.isnan(found["gradient_norm"][10])


def test_the_newest_checkpoint_says_all(tmp_path: Path) -> None:
    """A folder of checkpoints is one run, and checkpoint-1000 comes behind checkpoint-500."""
    for last in (500, 1000):
        folder = tmp_path / f"checkpoint-{last}"
        folder.mkdir()
        rows = [{"loss": 1000 / step, "step": step} for step in range(100, last + 1, 100)]
        (folder / "trainer_state.json").write_text(json.dumps({"log_history": rows}))
    assert signals(trainhealth.load(tmp_path).view)["train_loss"] == {
        step: 1000 / step for step in range(100, 1001, 100)
    }


def test_the_trainers_event_files_beside_its_checkpoints_are_of_the_same_run(tmp_path: Path) -> None:
    """Below runs/, a folder a start: they go on behind the newest checkpoint, in the order in which they began."""
    (tmp_path / "checkpoint-2").mkdir()
    rows = [{"loss": 4.0, "step": 1}, {"loss": 3.0, "step": 2}, {"eval_loss": 3.5, "step": 2}]
    (tmp_path / "checkpoint-2" / "trainer_state.json").write_text(json.dumps({"log_history": rows}))
    starts = {
        "Nov30_23-00-00_host": (1764543600, [4.0, 3.0, 2.5]),
        "Dec01_08-00-00_host": (1764576000, [2.0, math.nan]),
    }
    for first, (folder, (time, losses)) in zip((1, 3), starts.items(), strict=True):
        (tmp_path / "runs" / folder).mkdir(parents=True)
        events = event_file([("train/loss", step, loss) for step, loss in enumerate(losses, first)])
        (tmp_path / "runs" / folder / f"events.out.tfevents.{time}.host.7.0").write_bytes(events)
    assert runs_of(str(tmp_path)) == [str(tmp_path)]
    view = trainhealth.load(tmp_path).view
    assert view.series("train_loss").values[:3].tolist() == [4.0, 3.0, 2.0]
    assert math.isnan(view.series("train_loss").values[3])
    assert signals(view)["validation_loss"] == {2: 3.5}
    assert view.format == "json + tensorboard"


def test_folders_below_runs_are_a_run_each_where_there_is_no_checkpoint(tmp_path: Path) -> None:
    """So torch's SummaryWriter calls them, too."""
    for name in ("a", "b"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        log = event_file([("loss", 1, 1.0)])
        (tmp_path / "runs" / name / "events.out.tfevents.1764543600.host.7.0").write_bytes(log)
    assert runs_of(str(tmp_path)) == [str(tmp_path / "runs" / name) for name in ("a", "b")]


@pytest.mark.parametrize(
    "document",
    [
        {"loss": [2.0, 1.5], "val_loss": [2.1, 1.9], "accuracy": [0.3, 0.4], "val_accuracy": [0.2, 0.3]},
        {"history": {"loss": [2.0, 1.5], "val_loss": [2.1, 1.9], "accuracy": [0.3, 0.4], "val_accuracy": [0.2, 0.3]}},
        {"train_losses": [2.0, 1.5], "val_losses": [2.1, 1.9], "train_accs": [0.3, 0.4], "val_accs": [0.2, 0.3]},
        {
            "loss": {"0": 2.0, "1": 1.5},
            "val_loss": {"0": 2.1, "1": 1.9},
            "accuracy": {"0": 0.3, "1": 0.4},
            "val_accuracy": {"0": 0.2, "1": 0.3},
        },
        {
            "train": [{"loss": 2.0, "accuracy": 0.3}, {"loss": 1.5, "accuracy": 0.4}],
            "val": [{"loss": 2.1, "accuracy": 0.2}, {"loss": 1.9, "accuracy": 0.3}],
        },
    ],
    ids=["Keras", "Keras under a key", "lists of one's own", "a data frame", "rows below each split"],
)
def test_columns_as_lists(tmp_path: Path, document: dict[str, object]) -> None:
    """A value an epoch."""
    assert signals(read(tmp_path, json.dumps(document), "history.json")) == {
        "train_loss": {0: 2.0, 1: 1.5},
        "validation_loss": {0: 2.1, 1: 1.9},
        "train_accuracy": {0: 0.3, 1: 0.4},
        "validation_accuracy": {0: 0.2, 1: 0.3},
    }


def test_skorchs_history_has_the_batches_in_every_epoch(tmp_path: Path) -> None:
    """The epochs' own values are read; epochs count from 1."""
    history = [
        {
            "batches": [{"train_loss": 0.8, "train_batch_size": 64}],
            "epoch": epoch,
            "dur": 0.1,
            "train_loss": 1 / epoch,
            "train_loss_best": True,
            "valid_acc": 0.5,
            "valid_loss": 2 / epoch,
        }
        for epoch in (1, 2)
    ]
    assert signals(read(tmp_path, json.dumps(history), "history.json")) == {
        "train_loss": {1: 1.0, 2: 0.5},
        "validation_loss": {1: 2.0, 2: 1.0},
        "validation_accuracy": {1: 0.5, 2: 0.5},
    }


def test_a_document_cut_short_says_so(tmp_path: Path) -> None:
    """It is no log that could be read, and no traceback."""
    with pytest.raises(trainhealth.LogError, match="no JSON document"):
        read(tmp_path, '{"log_history": [{"loss": 2.3, "step": 5}, {"lo', "trainer_state.json")
