"""``export`` and ``import``: a run's numbers for other programs, and other programs' logs as runs."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math

import pandas as pd
import pytest

import trainhealth
from trainhealth.cli import main
from trainhealth.diagnosis import Run
from trainhealth.records import LayerEntry
from trainhealth.testing import make_run

LOG = "epoch,loss,val_loss\n0,2.5,2.25\n1,nan,inf\n2,1.5,\n"


@pytest.fixture
def log(tmp_path):
    """A log of Keras's CSVLogger with a NaN, an infinity and a cell that is empty."""
    path = tmp_path / "training.csv"
    path.write_text(LOG)
    return path


def test_csv_has_a_row_a_step_and_says_what_is_not_finite(log, capsys):
    """An empty cell is a value that was never logged; NaN was."""
    assert main(["export", str(log)]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["train_loss"] for row in rows] == ["2.5", "NaN", "1.5"]
    assert [row["validation_loss"] for row in rows] == ["2.25", "Infinity", ""]


def test_json_lines_leave_out_what_is_missing(log, tmp_path):
    """Into a file as to stdout."""
    out = tmp_path / "out.jsonl"
    assert main(["export", str(log), "--format", "jsonl", "--output", str(out)]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows[1:] == [
        {"step": 1, "train_loss": "NaN", "validation_loss": "Infinity"},
        {"step": 2, "train_loss": 1.5},
    ]


def test_parquet_holds_what_csv_does(log, tmp_path):
    """A frame that pandas reads again, the steps as its index."""
    out = tmp_path / "out.parquet"
    assert main(["export", str(log), "--format", "parquet", "--output", str(out)]) == 0
    frame = pd.read_parquet(out)
    assert frame["train_loss"].tolist()[::2] == [2.5, 1.5]
    assert frame["validation_loss"].tolist()[:2] == [2.25, math.inf]
    assert math.isnan(frame["train_loss"].tolist()[1])


def test_parquet_without_its_package_is_a_clear_error(log, tmp_path, monkeypatch, capsys):
    """Which names what to install."""
    monkeypatch.setattr("trainhealth.cli.export.find_spec", lambda name: None)
    assert main(["export", str(log), "--format", "parquet", "--output", str(tmp_path / "out.parquet")]) == 2
    assert "trainhealth[parquet]" in capsys.readouterr().err


def test_an_imported_log_is_the_same_run(log, tmp_path):
    """Series and diagnosis are equal, also what is not checked and why; it is not imported a second time."""
    folder = tmp_path / "kept"
    assert main(["import", str(log), str(folder)]) == 0
    before, after = trainhealth.load(log).view, trainhealth.load(folder).view
    assert (after.format, after.watched, after.ended) == ("csv", False, None)
    for name in ("train_loss", "validation_loss"):
        assert str(after.series(name).values) == str(before.series(name).values)
        assert after.series(name).steps.tolist() == before.series(name).steps.tolist()
    assert [epoch.number for epoch in after.epochs] == [0, 1, 2]
    diagnoses = [trainhealth.check(Run("run", dataclasses.replace(view, path=""))) for view in (before, after)]
    assert diagnoses[0].to_json() == diagnoses[1].to_json()
    assert main(["import", str(folder), str(tmp_path / "again")]) == 2


def test_nothing_is_overwritten(log, tmp_path, capsys):
    """A folder that holds something stays as it is."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("precious")
    assert main(["import", str(log), str(tmp_path / "full")]) == 2
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_names_can_be_mapped(log, capsys):
    """What `--map` says counts, and what it can't read is a usage error."""
    assert main(["export", str(log), "--map", "test_loss=val_loss"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "step,train_loss,test_loss"
    assert main(["export", str(log), "--map", "train_accuracy=val_loss"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "step,train_loss,train_accuracy"
    assert main(["export", str(log), "--map", "nonsense"]) == 2
    assert main(["export", str(log), "--map", "no_signal=loss"]) == 2


def test_what_can_not_be_written_is_said(log, tmp_path, capsys):
    """Parquet needs a file, a file needs a folder."""
    assert main(["export", str(log), "--format", "parquet"]) == 2
    assert main(["export", str(log), "--output", str(tmp_path / "nowhere" / "out.csv")]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_a_run_of_ours_is_not_written_again(write_run, tmp_path, capsys):
    """Its layers would be lost; copying the folder keeps all."""
    path = write_run()
    assert main(["export", path, "--format", "trainhealth", "--output", str(tmp_path / "again")]) == 2
    assert f"cp -r {path}" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()


def test_layers_with_infinity_can_be_written_as_json_lines(tmp_path, monkeypatch, capsys):
    """As the string that the log uses: JSON has no number for it."""
    view = make_run([1.0], layers=[LayerEntry(name="fc", type="Linear")], samples={0: {"activation_std": [math.inf]}})
    monkeypatch.setattr("trainhealth.cli.export.load", lambda path, names: Run(path, view))
    assert main(["export", "run", "--table", "layers", "--format", "jsonl"]) == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert row == {"step": 0, "place": "fc", "signal": "activation_std", "value": "Infinity"}
