"""Logs whose axis never moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.readers.reading import read, said, signals


def test_rows_are_counted_where_all_of_them_are_of_one_epoch(tmp_path: Path) -> None:
    """As scripts write it that call a framework's training anew for every epoch."""
    log = "epoch,loss,val_loss\n" + "".join(f"0,{row + 1}.0,{row + 2}.0\n" for row in range(5))
    view = read(tmp_path, log, "history.csv")
    assert signals(view)["train_loss"] == {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0, 4: 5.0}
    assert signals(view)["validation_loss"][4] == 6.0
    assert "epoch: 0 in all 5 rows: no axis, so that rows are counted" in said(view)


def test_the_results_of_many_trainings_are_no_curve(tmp_path: Path) -> None:
    """Of each training a notebook's progress bars keep the last state, and all of these are of one step."""
    log = "".join(
        f"Epoch 9: 100%|###| 47/47 [00:02<00:00, 9.0it/s, train_loss=1.{n}, val_acc=0.{n}]\n" for n in range(6)
    )
    view = read(tmp_path, log)
    assert signals(view) == {}
    assert view.series("train_loss (column)").values[-1] == 1.5
    assert "not judged, because all 6 values stand at step 47: a list of results, and no curve" in said(view)


@pytest.mark.parametrize(
    "log",
    [
        "epoch,loss\n" + "0,2.0\n" * 4,
        "epoch,loss\n" + "0,2.0\n" * 9 + "1,1.0\n",
        "epoch,train_loss,val_loss\n0,2.0,\n0,,2.1\n",
    ],
    ids=["few rows", "an axis that moves at last", "a row a split"],
)
def test_other_axes_stay_as_they_are(log: str, tmp_path: Path) -> None:
    """Batches may share their epoch's number."""
    view = read(tmp_path, log, "history.csv")
    assert view.series("train_loss").steps[0] == 0
    assert "epoch: an axis, which begins at 0" in said(view)
