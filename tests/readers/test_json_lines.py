"""JSON lines: anybody's, OpenMMLab's, detectron2's; and fairseq's, whose JSON ends a line of text."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.readers.reading import read, said, signals


def lines(*rows: dict[str, object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_llama_factorys_rows_of_evaluations_have_no_loss(tmp_path: Path) -> None:
    """Training and validation stand on different rows, and the last row has neither."""
    log = lines(
        {"current_steps": 10, "total_steps": 30, "loss": 2.2, "lr": 9e-05, "epoch": 0.1, "percentage": 33.3},
        {"current_steps": 20, "total_steps": 30, "loss": 1.9, "lr": 8e-05, "epoch": 0.2, "percentage": 66.7},
        {"current_steps": 20, "total_steps": 30, "eval_loss": 2.0, "epoch": 0.2, "percentage": 66.7},
        {"current_steps": 30, "total_steps": 30, "epoch": 0.3, "percentage": 100.0},
    )
    view = read(tmp_path, log, "trainer_log.jsonl")
    assert view.format == "jsonl"
    assert signals(view) == {
        "train_loss": {10: 2.2, 20: 1.9},
        "learning_rate": {10: 9e-05, 20: 8e-05},
        "validation_loss": {20: 2.0},
    }


def test_objects_in_objects_become_columns(tmp_path: Path) -> None:
    """Many write the splits as objects."""
    log = lines({"epoch": 0, "train": {"loss": 2.0}, "val": {"loss": 2.1, "accuracy": 0.3}})
    assert signals(read(tmp_path, log, "log.jsonl")) == {
        "train_loss": {0: 2.0},
        "validation_loss": {0: 2.1},
        "validation_accuracy": {0: 0.3},
    }


def test_a_line_that_is_no_object_is_skipped_and_shown(tmp_path: Path) -> None:
    """The others are read."""
    log = lines({"step": 1, "loss": 2.0}) + "Killed\n[1, 2]\n" + lines({"step": 2, "loss": 1.0})
    view = read(tmp_path, log, "log.jsonl")
    assert signals(view) == {"train_loss": {1: 2.0, 2: 1.0}}
    assert [skipped.line for skipped in view.skipped] == [2, 3]


def test_mmengines_validation_stands_where_training_was(tmp_path: Path) -> None:
    """The step of its validation rows is the number of the epoch."""
    log = lines(
        {"lr": 0.02, "data_time": 0.1, "loss": 1.7, "time": 0.2, "epoch": 1, "iter": 69, "memory": 3060, "step": 69},
        {"accuracy/top1": 43.5, "data_time": 0.1, "time": 0.2, "step": 1},
        {"lr": 0.02, "data_time": 0.1, "loss": 1.2, "time": 0.2, "epoch": 2, "iter": 138, "memory": 3060, "step": 138},
        {"accuracy/top1": 61.0, "data_time": 0.1, "time": 0.2, "step": 2},
    )
    view = read(tmp_path, log, "scalars.json")
    assert view.format == "mmlab"
    assert signals(view) == {
        "train_loss": {69: 1.7, 138: 1.2},
        "learning_rate": {69: 0.02, 138: 0.02},
        "validation_accuracy": {69: 0.435, 138: 0.61},
    }
    assert not [event for event in view.events if event.event == "resumed"]


@pytest.mark.parametrize(("iterations", "steps"), [((5, 10, 5, 10), (5, 10, 15, 20)), ((5, 10, 15, 20),) * 2])
def test_mmcvs_iterations_begin_anew_with_every_epoch_or_not(
    tmp_path: Path, iterations: tuple[int, ...], steps: tuple[int, ...]
) -> None:
    """They count within the epoch where training goes by epochs; validation's `iter` is its number of batches."""
    train = [
        {"mode": "train", "epoch": 1 + place // 2, "iter": iteration, "lr": 0.1, "memory": 9, "loss": 2.0 - place / 4}
        for place, iteration in enumerate(iterations)
    ]
    val = {"mode": "val", "epoch": 1, "iter": 64, "lr": 0.1, "accuracy_top-1": 40.0}
    log = '{"hook_msgs": {}}\n{}\n' + lines(*train[:2], val, *train[2:])
    found = signals(read(tmp_path, log, "None.log.json"))
    assert found["train_loss"] == dict(zip(steps, (2.0, 1.75, 1.5, 1.25), strict=True))
    assert found["validation_accuracy"] == {10: 0.4}


def test_mmcvs_rate_of_zero_is_a_rounded_one(tmp_path: Path) -> None:
    """It writes five decimals: whether the rate has really become nothing is not known."""
    log = lines(
        {"mode": "train", "epoch": 1, "iter": 1, "lr": 1e-05, "loss": 2.0},
        {"mode": "train", "epoch": 1, "iter": 2, "lr": 0.0, "loss": 1.9},
    )
    assert signals(read(tmp_path, log, "a.log.json"))["learning_rate"] == {1: 1e-05}


def test_detectron2_appends_every_start_to_one_file(tmp_path: Path) -> None:
    """Also one that ended after its first row: the same iteration again is another run."""
    row = {"data_time": 0.1, "time": 0.3, "lr": 1e-3}
    log = lines(
        {**row, "iteration": 19, "total_loss": 9.0, "loss_cls": 5.0},
        {**row, "iteration": 19, "total_loss": 2.0, "loss_cls": 1.0},
        {**row, "iteration": 39, "total_loss": 1.5, "loss_cls": 0.5},
        {"iteration": 40},
        {"iteration": 39, "bbox/AP": float("nan"), "bbox/AP50": 40.2},
    )
    view = read(tmp_path, log, "metrics.json")
    assert view.format == "detectron2"
    assert signals(view)["train_loss"] == {19: 2.0, 39: 1.5}
    assert [event.data["runs"] for event in view.events if event.event == "another-run"] == [2]


FAIRSEQ_JSON = """\
03-08 12:31:00 | INFO | fairseq_cli.train | Namespace(no_progress_bar=False, log_format='json')
03-08 12:31:36 | INFO | train_inner | {"epoch": 1, "update": 0.5, "loss": "16.5", "num_updates": "5", "lr": "2e-05"}
03-08 12:31:36 | INFO | train | {"epoch": 1, "train_loss": "16.0", "train_num_updates": "10", "train_lr": "2e-05"}
03-08 12:33:10 | INFO | valid | {"epoch": 1, "valid_loss": "15.5", "valid_num_updates": "10", "valid_best_loss": "1"}
03-08 12:34:36 | INFO | train_inner | {"epoch": 2, "update": 1.5, "loss": "15.1", "num_updates": "15", "lr": "3e-05"}
NOTE: gradient overflow detected, ignoring gradient, setting loss scale to: 2.0
"""
FAIRSEQ_SIMPLE = """\
03-08 12:31:36 | INFO | train_inner | epoch 001:      5 / 10 loss=16.5, ppl=92681, num_updates=5, lr=2e-05
03-08 12:33:10 | INFO | valid | epoch 001 | valid on 'valid' subset | loss 15.5 | num_updates 10 | best_loss 1
03-08 12:34:36 | INFO | train_inner | epoch 002:      5 / 10 loss=15.1, ppl=35000, num_updates=15, lr=3e-05
"""


@pytest.mark.parametrize("log", [FAIRSEQ_JSON, FAIRSEQ_SIMPLE], ids=["json", "simple"])
def test_fairseqs_forms_say_the_same(tmp_path: Path, log: str) -> None:
    """Updates are the axis, and losses are in bits, which the user is told."""
    view = read(tmp_path, log)
    assert view.format == "fairseq"
    found = signals(view)
    assert found["train_loss"] == {5: 16.5, 15: 15.1}
    assert found["validation_loss"] == {10: 15.5}
    assert found["learning_rate"][15] == 3e-05
    assert "in bits" in said(view)


HF_4 = """\
{'loss': 0.693, 'grad_norm': 1.2, 'learning_rate': 5e-05, 'epoch': 0.1}
{'loss': 0.5, 'grad_norm': nan, 'learning_rate': 4e-05, 'epoch': 0.1}
{'eval_loss': 0.6, 'eval_accuracy': 0.7, 'eval_runtime': 1.5, 'epoch': 0.1}
{'loss': 0.4, 'grad_norm': 1.1, 'learning_rate': 3e-05, 'epoch': 0.2}
{'train_runtime': 10.5, 'train_loss': 0.53, 'epoch': 0.2}
"""


@pytest.mark.parametrize("quoted", [False, True], ids=["version 4", "version 5"])
def test_hugging_faces_console_has_no_step(tmp_path: Path, quoted: bool) -> None:
    """Rows are counted; version 5 writes numbers as strings. The mean over the run is no step's loss."""
    log = re.sub(r": ([\w.-]+)", r": '\1'", HF_4) if quoted else HF_4
    found = signals(read(tmp_path, "  5%|#    | 10/200 [00:01<00:20]" + log))
    assert found["train_loss"] == {0: 0.693, 1: 0.5, 2: 0.4}
    assert found["validation_loss"] == {1: 0.6}
    assert [value == value for value in found["gradient_norm"].values()] == [True, False, True]


def test_hugging_faces_runs_in_one_console_are_told_apart_by_the_epoch(tmp_path: Path) -> None:
    """It goes back to 0."""
    run = "".join(f"{{'loss': {loss}, 'epoch': {epoch}}}\n" for loss, epoch in ((2.0, 0.1), (1.5, 0.5), (1.2, 1.0)))
    view = read(tmp_path, run + run.replace("1.2", "1.1"))
    assert signals(view) == {"train_loss": {0: 2.0, 1: 1.5, 2: 1.1}}
    assert [event.data["runs"] for event in view.events if event.event == "another-run"] == [2]
