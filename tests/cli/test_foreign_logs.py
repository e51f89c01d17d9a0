"""Foreign logs on the command line: how they were understood, and what of them is not judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainhealth.cli import main

YOLO = (
    "epoch,train/box_loss,train/cls_loss,val/box_loss,val/cls_loss,lr/pg1\n1,1.0,2.0,1.1,2.1,0.01\n2,0.9,1.8,1,2,0.01\n"
)


@pytest.fixture(autouse=True)
def _no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_info_says_how_every_column_was_understood(capsys: pytest.CaptureFixture[str]) -> None:
    """The sum, the axis and what the log does not say; columns without a meaning stand among the signals."""
    Path("results.csv").write_text(YOLO)
    assert main(["info", "results.csv"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "format ultralytics" in out
    assert "train/box_loss + train/cls_loss is read as train_loss: their sum" in out
    assert "epoch: an axis, which begins at 1" in out
    assert "lr/pg1 is read as learning_rate: by its name" in out
    assert "not known whether losses are means or sums, in nats or in bits" in out
    assert "val/box_loss 2 values, which no rule reads" in out


def test_info_knows_fairseqs_unit(capsys: pytest.CaptureFixture[str]) -> None:
    """What the format says is not called unknown."""
    Path("train.log").write_text("1 | INFO | train | epoch 001 | loss 12.3 | num_updates 10 | lr 1e-05\n")
    assert main(["info", "train.log"]) == 0
    out = capsys.readouterr().out
    assert "in bits" in out
    assert "not known" not in out


def test_check_says_that_a_log_holds_several_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Who reads only the diagnosis must not take it for that of all runs."""
    Path("training.log").write_text("epoch,loss\n" + "0,2.0\n1,1.5\n2,1.2\n" * 3)
    main(["check", "training.log"])
    assert (
        "note: training.log: 3 runs in one log: the last one is diagnosed, the others are not"
        in capsys.readouterr().err
    )


def test_check_says_nothing_of_a_log_with_one_run(capsys: pytest.CaptureFixture[str]) -> None:
    """A resumed run is one run."""
    Path("training.log").write_text("step,loss\n1,2.0\n2,1.5\n3,1.4\n2,1.45\n3,1.3\n")
    main(["check", "training.log"])
    assert capsys.readouterr().err == ""


def test_a_column_is_mapped_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """And info shows that it was."""
    Path("log.csv").write_text("step,objective_a\n1,2.0\n2,1.5\n")
    assert main(["info", "log.csv", "--map", "train_loss=objective_a"]) == 0
    assert "objective_a is read as train_loss: as you mapped it" in " ".join(capsys.readouterr().out.split())
