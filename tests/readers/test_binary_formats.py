"""TensorBoard's event files, W&B's run files, and the databases of MLflow and Trackio."""

from __future__ import annotations

import math
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

import trainhealth
from tests.readers.reading import read, signals
from tests.readers.writers import event_file, frame, wandb_file
from trainhealth.errors import LogError

EVENTS = "events.out.tfevents.1763712000.host.1.0"


@pytest.mark.parametrize("tensors", [False, True], ids=["simple values", "tensors"])
def test_an_event_files_scalars_are_all_read(tmp_path: Path, tensors: bool) -> None:
    """None is sampled away, be it NaN or at the same step as another tag."""
    scalars = [("train/loss", step, 2.0 - step / 4096) for step in range(2048)] + [("eval/loss", 2048, math.nan)]
    found = signals(read(tmp_path, event_file(scalars, tensors=tensors), EVENTS))
    assert len(found["train_loss"]) == 2048
    assert found["train_loss"][2047] == pytest.approx(2.0 - 2047 / 4096)
    assert math.isnan(found["validation_loss"][2048])


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        (("train/loss", "eval/loss", "train/grad_norm"), {"train_loss", "validation_loss", "gradient_norm"}),
        (("Loss/train", "Loss/test", "Accuracy/train"), {"train_loss", "validation_loss", "train_accuracy"}),
        (("train_loss", "val_loss", "epoch"), {"train_loss", "validation_loss"}),
        (("train/box_loss", "train/cls_loss", "x/lr1"), {"train_loss", "learning_rate"}),
        (("rollout/ep_rew_mean", "train/loss"), set()),
    ],
    ids=["Trainer", "torch", "Lightning", "YOLO", "Stable-Baselines"],
)
def test_tags_as_tools_write_them(tmp_path: Path, tags: tuple[str, ...], found: set[str]) -> None:
    """Every tool has its own."""
    log = event_file([(tag, step, 0.5) for step in range(3) for tag in tags])
    assert {*signals(read(tmp_path, log, EVENTS))} == found


def test_keras_writes_a_folder_a_split(tmp_path: Path) -> None:
    """The same tag is training's in one and validation's in the other."""
    for folder, loss in (("train", 1.0), ("validation", 2.0)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / EVENTS).write_bytes(event_file([("epoch_loss", 0, loss)], tensors=True))
    found = signals(trainhealth.load(tmp_path).view)
    assert found == {"train_loss": {0: 1.0}, "validation_loss": {0: 2.0}}


def test_a_record_with_a_wrong_checksum_is_skipped_and_the_next_one_read(tmp_path: Path) -> None:
    """One bit costs one value."""
    log = bytearray(event_file([("loss", step, 1.0) for step in range(3)]))
    size = (len(log) - len(event_file([]))) // 3
    log[len(event_file([])) + size + 20] ^= 1
    view = read(tmp_path, bytes(log), EVENTS)
    assert signals(view) == {"train_loss": {0: 1.0, 2: 1.0}}
    assert [skipped.reason for skipped in view.skipped] == ["a record's checksum is wrong"]


def test_an_event_file_without_scalars_is_empty(tmp_path: Path) -> None:
    """A graph alone is no run that could be judged, and the user is told so."""
    with pytest.raises(LogError, match="no loss and no accuracy was found"):
        read(tmp_path, frame([b"\x1a\x0dbrain.Event:2"]), EVENTS)


def test_wandbs_history_is_read_over_the_bounds_of_blocks(tmp_path: Path) -> None:
    """A record may lie in several blocks of 32 KiB, and a number may be a string."""
    rows = [{"train/loss": 2.0 - step / 1000, "filler": "x" * 5000} for step in range(20)]
    view = read(tmp_path, wandb_file([*rows, {"train/loss": "NaN"}]), "run-a1.wandb")
    found = signals(view)["train_loss"]
    assert [found[step] for step in range(20)] == [row["train/loss"] for row in rows]
    assert math.isnan(found[20])
    assert not view.skipped


def test_wandbs_damaged_block_costs_what_was_in_it(tmp_path: Path) -> None:
    """The next block is read."""
    log = bytearray(wandb_file([{"loss": step / 100, "filler": "x" * 2000} for step in range(60)]))
    log[1000:1200] = bytes(200)
    view = read(tmp_path, bytes(log), "run-a1.wandb")
    assert 59 in signals(view)["train_loss"]
    assert view.skipped


def test_mlflows_database_has_a_row_a_value(tmp_path: Path) -> None:
    """NaN is a flag, infinity the largest float; the newest run is read, and the log says that there are two."""
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE metrics (key, value, timestamp, step, is_nan, run_uuid)")
        rows = [
            ("train_loss", 9.0, 1, 0, 0, "old"),
            ("train_loss", 2.0, 1000, 0, 0, "new"),
            ("train_loss", 0.0, 2000, 1, 1, "new"),
            ("train_loss", sys.float_info.max, 3000, 2, 0, "new"),
        ]
        database.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)
        database.commit()
    view = trainhealth.load(path).view
    found = signals(view)["train_loss"]
    assert found[0] == 2.0
    assert math.isnan(found[1])
    assert found[2] == math.inf
    assert [event.data["runs"] for event in view.events if event.event == "another-run"] == [2]


def test_a_database_that_would_never_end_is_none_of_a_tracker(tmp_path: Path) -> None:
    """A view may compute rows for ever: only tables are read."""
    with closing(sqlite3.connect(tmp_path / "trackio.db")) as database:
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
        database.execute(f"CREATE VIEW metrics AS SELECT '' AS run_name, i AS step, '' AS metrics FROM ({endless})")
        database.commit()
    with pytest.raises(LogError, match="no table of metrics that is known"):
        trainhealth.load(tmp_path / "trackio.db")


def test_a_damaged_row_costs_itself(tmp_path: Path) -> None:
    """Whatever stands in its cells: SQLite's columns take anything."""
    with closing(sqlite3.connect(tmp_path / "trackio.db")) as database:
        database.execute("CREATE TABLE metrics (timestamp, run_name, step, metrics)")
        deep = '{"a":' * 990 + "1" + "}" * 990
        cells = [
            (0, '{"loss": 2.0}'),
            (math.inf, '{"loss": 1}'),
            ("x", "{}"),
            (1, None),
            (1, deep),
            (2, '{"loss": 1.0}'),
        ]
        database.executemany("INSERT INTO metrics VALUES (NULL, 'a', ?, ?)", cells)
        database.commit()
    view = trainhealth.load(tmp_path / "trackio.db").view
    assert signals(view) == {"train_loss": {0: 2.0, 2: 1.0}}
    assert len(view.skipped) >= 3


def test_mlflows_files_are_one_run(tmp_path: Path) -> None:
    """A file a metric; slashes in names are folders."""
    for name, log in (
        ("train_loss", "1763712000000 2.0 0\n1763712001000 nan 1\n"),
        ("val/loss", "1763712001000 2.5 1\n"),
    ):
        file = tmp_path / "metrics" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(log)
    found = signals(trainhealth.load(tmp_path).view)
    assert found["train_loss"][0] == 2.0
    assert math.isnan(found["train_loss"][1])
    assert found["validation_loss"] == {1: 2.5}
