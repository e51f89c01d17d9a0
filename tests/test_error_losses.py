"""Logs of regressions: an error is read as the loss where the log calls nothing one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.readers.reading import read, said, signals


def test_an_error_of_both_splits_is_the_loss_where_there_is_no_other(tmp_path: Path) -> None:
    """The squared one before its root: that is what is minimised; `info` says so."""
    log = "epoch,train_rmse,train_mse,val_rmse,val_mse:\n1,2.0,4.0,3.0,9.0\n2,1.0,1.0,2.0,4.0\n"
    view = read(tmp_path, log, "history.csv")
    assert signals(view) == {"train_loss": {1: 4.0, 2: 1.0}, "validation_loss": {1: 9.0, 2: 4.0}}
    assert "train_mse is read as train_loss: there is no other loss" in said(view)


@pytest.mark.parametrize(
    "header",
    ["epoch,train_loss,val_mse", "epoch,mse,mae", "epoch,val_mse,train_r2", "epoch,train_box_mse,d_loss"],
    ids=["beside a loss", "no split", "no training", "of a part"],
)
def test_other_errors_are_metrics(header: str, tmp_path: Path) -> None:
    """An error of one split beside the other's loss would show a gap that is none."""
    view = read(tmp_path, f"{header}\n1,2.0,3.0\n2,1.0,2.0\n", "history.csv")
    assert {*signals(view)} <= {"train_loss"}
    assert "there is no other loss" not in said(view)


def test_errors_are_of_one_kind(tmp_path: Path) -> None:
    """Training's squared error is not compared with validation's absolute one."""
    view = read(tmp_path, "epoch,train_mse,val_mae\n1,4.0,1.5\n2,1.0,1.0\n", "history.csv")
    assert signals(view) == {"train_loss": {1: 4.0, 2: 1.0}}
