"""A loss whose cells become empty while the rows go on: pandas has written NaN."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import trainhealth
from tests.readers.reading import read, said

LOSSES = [2.0, 1.0, *[float("nan")] * 4]
ACCURACIES = [0.2, 0.4, 0.1, 0.1, 0.1, 0.1]


def written(folder: Path, to: str, **columns: list[float]) -> Path:
    """Write a frame as its users do."""
    frame = pd.DataFrame(columns)
    path = folder / f"history.{to}"
    if to == "csv":
        frame.to_csv(path, index=False)
    elif to == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_json(path)
    return path


@pytest.mark.parametrize("to", ["csv", "jsonl", "json"])
@pytest.mark.parametrize(
    "axis", [{}, {"epoch": [*range(6)]}, {"step": [*range(0, 60, 10)]}], ids=["rows", "epochs", "steps"]
)
def test_the_loss_that_pandas_leaves_out_is_nan(to: str, axis: dict[str, list[float]], tmp_path: Path) -> None:
    """The finding names it, and `info` says how it was read."""
    path = written(tmp_path, to, **axis, loss=LOSSES, accuracy=ACCURACIES)
    report = trainhealth.check(path)
    assert "nonfinite-loss" in {finding.name for finding in report.findings}
    view = report.run.view
    assert view.series("train_loss").steps.tolist() == view.series("train_accuracy").steps.tolist()
    assert "accuracy goes on, and so read as NaN" in said(view)


@pytest.mark.parametrize(
    "table",
    [
        "step,loss,lr\n1,2.0,0.1\n2,1.5,0.1\n3,,0.1\n4,,0.1\n",
        "step,loss,accuracy\n1,2.0,0.1\n2,1.5,\n3,1.0,0.3\n4,,0.4\n5,,0.4\n6,,0.4\n",
        "step,loss,val_loss\n1,2.0,\n2,1.5,\n3,,1.8\n4,,1.7\n5,,1.6\n",
        "step,loss,note\n1,2.0,7\n2,1.5,7\n3,,7\n4,,7\n5,,7\n",
        "step,loss,train_loss,lr\n1,2.0,,1\n2,1.5,,1\n3,,1.5,1\n4,,1.4,1\n5,,1.3,1\n",
    ],
    ids=["the rest of a table", "not of the same rows", "rows of two kinds", "no signal goes on", "two losses"],
)
def test_other_empty_cells_are_values_that_were_never_logged(table: str, tmp_path: Path) -> None:
    """A table may hold rows of several kinds."""
    view = read(tmp_path, table, "log.csv")
    assert not any("read as NaN" in line for line in said(view).splitlines())
    assert len(view.series("train_loss").finite()) == len(view.series("train_loss"))
